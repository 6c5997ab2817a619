package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// every is a running Caddy that answers every login API and takes the
// credentials of all, and two accounts, each of a tenant of its own.
type every struct {
	*whole
	ann, bob party
}

// party is one of the accounts. key is of the account and of no tenant.
type party struct {
	store.Account
	password, key, keyID, tenant string
}

// everyLogin is in each place where options can be added.
const everyLogin = `
		login login_token /feathers/login-token
		login management
		login entity_token
		login timed_login
		login crm_token
		login oauth2
		insecure_http
		errors problem`

// everyShortLogin is the same with tokens of two seconds.
var everyShortLogin = strings.NewReplacer(
	"login-token\n", "login-token {\n\t\t\taccess_ttl 2s\n\t\t}\n", "management\n", "management {\n\t\t\tttl 1s\n\t\t}\n",
	"login entity_token\n", "login entity_token {\n\t\t\tttl 2s\n\t\t}\n", "timed_login\n", "timed_login {\n\t\t\tttl 1s\n\t\t}\n",
	"crm_token\n", "crm_token {\n\t\t\tttl 2s\n\t\t}\n", "oauth2\n", "oauth2 {\n\t\t\tttl 1s\n\t\t}\n",
).Replace(everyLogin)

func startEvery(t *testing.T, more string) *every { return startEveryBlock(t, everyLogin+"\n"+more) }

func startEveryBlock(t *testing.T, block string) *every {
	t.Helper()
	e := &every{whole: start(t, block)}
	e.ann = e.party(annName, annPassword, "Acme", "user")
	e.bob = e.party("bob", "another battery staple", "Other", "user")
	return e
}

func (e *every) party(name, password, tenant string, roles ...string) party {
	e.t.Helper()
	a, ctx := e.admin(gateway.DefaultRealm), e.t.Context()
	org, err := a.AddTenant(ctx, tenant)
	if err != nil {
		e.t.Fatal(err)
	}
	row, err := a.AddAccount(ctx, admin.NewAccount{Username: name, Password: auth.NewSecret(password), Roles: roles, Tenant: tenant})
	if err != nil {
		e.t.Fatal(err)
	}
	key, text := e.newKey(admin.NewKey{Account: name, Permissions: auth.AllPermissions, Scopes: auth.Scope{"orders", "bills"}})
	return party{row, password, text, fmt.Sprint(key.ID), org.ID}
}

func (w *whole) newKey(n admin.NewKey) (store.Key, string) {
	w.t.Helper()
	row, text, err := w.admin(gateway.DefaultRealm).CreateKey(w.t.Context(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	return row, text.Reveal()
}

// logIn returns a token that a dialect gives a party.
func (e *every) logIn(dialect string, p party) string {
	e.t.Helper()
	a := e.tryLogIn(dialect, p)
	if a.status/100 != 2 {
		e.t.Fatalf("%s: logging in: %v", dialect, a)
	}
	return e.tokenOf(dialect, a)
}

// tryLogIn makes the login call of a dialect; fields are sent along.
func (e *every) tryLogIn(dialect string, p party, fields ...string) answer {
	e.t.Helper()
	switch dialect {
	case "login_token":
		return e.postJSON("/feathers/authentication", fmt.Sprintf(`{"strategy":"local","username":%q,"password":%q}`, p.Username, p.password), fields...)
	case "management":
		return e.postJSON("/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, p.Username, p.password), fields...)
	case "entity_token":
		_, user := e.token(p.Username, "")
		return e.postJSON(placeOf(p), "{}", append(fields, "apikey: "+p.key, "userid: "+p.Username, "token: "+user)...)
	case "timed_login":
		return e.postJSON("/login", fmt.Sprintf(`{"UserLogin":%q,"ApiKey":%q}`, p.Username, p.key), fields...)
	case "crm_token":
		return e.postJSON("/authentication/token", fmt.Sprintf(`{"username":%q,"password":%q,"organisation":%q}`, p.Username, p.password, p.tenant), fields...)
	case "oauth2":
		return e.oauth2(p, "/token", url.Values{"grant_type": {"client_credentials"}}, fields...)
	}
	e.t.Fatalf("no login of %s is known here", dialect)
	return answer{}
}

// tokenOf finds the token in the answer to a login.
func (e *every) tokenOf(dialect string, a answer) string {
	e.t.Helper()
	if dialect == "crm_token" {
		var body struct{ Data json.RawMessage }
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			e.t.Fatalf("%v: %s", err, a.body)
		}
		return memberOf(e.t, string(body.Data), "token")
	}
	return memberOf(e.t, a.body, map[string]string{
		"login_token": "accessToken", "management": "token", "entity_token": "authenticationToken", "timed_login": "Token", "oauth2": "access_token",
	}[dialect])
}

func placeOf(p party) string {
	return "/entities/" + p.tenant + "/users/" + p.ID + "/authentication-token"
}

func (w *whole) postJSON(path, body string, fields ...string) answer {
	w.t.Helper()
	return w.post(path, body, append([]string{jsonType}, fields...)...)
}

// oauth2 is a call of a party's key as the client.
func (e *every) oauth2(p party, path string, form url.Values, fields ...string) answer {
	e.t.Helper()
	r := e.oauth2Request(p, path, form)
	return e.do(r.method, r.path, r.body, append(r.fields, fields...)...)
}

// request is one that can be made later, at any node.
type request struct {
	method, path, body string
	fields             []string
}

func (e *every) oauth2Request(p party, path string, form url.Values) request {
	all := url.Values{"client_id": {p.keyID}, "client_secret": {p.key}}
	maps.Copy(all, form)
	return request{http.MethodPost, "/oauth2" + path, all.Encode(), []string{"Content-Type: application/x-www-form-urlencoded"}}
}

// tokens gets a party an access token and a refresh token.
func (e *every) tokens(p party) (access, refresh string) {
	e.t.Helper()
	a := e.oauth2(p, "/token", url.Values{"grant_type": {"client_credentials"}})
	return memberOf(e.t, a.body, "access_token"), memberOf(e.t, a.body, "refresh_token")
}

func (e *every) refresh(p party, refresh string) answer {
	e.t.Helper()
	return e.oauth2(p, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
}

// guardedCall presents a token on a guarded path as clients of its dialect do.
func guardedCall(dialect, token string, p party) (path string, fields []string) {
	switch dialect {
	case "login_token":
		return "/x", []string{"Authorization: jwt " + token}
	case "entity_token":
		return "/x", []string{"apikey: " + p.key, "entity-authentication-token: " + token}
	case "timed_login":
		return "/x?Token=" + url.QueryEscape(token), nil
	case "crm_token":
		return "/x?token=" + url.QueryEscape(token), nil
	}
	return "/x", []string{bearerOf(token)}
}

func (e *every) show(dialect, token string, p party) answer {
	e.t.Helper()
	path, fields := guardedCall(dialect, token, p)
	return e.get(path, fields...)
}

// good and dead fail the test unless a token is that on its next request.
func (e *every) good(dialect, token string, p party) {
	e.t.Helper()
	if got := e.passed(e.show(dialect, token, p)); got.Header.Get("X-Auth-Subject") != p.ID {
		e.t.Errorf("%s: a token of %s passed as %q", dialect, p.Username, got.Header.Get("X-Auth-Subject"))
	}
}

func (e *every) dead(dialect, token string, p party) {
	e.t.Helper()
	e.refused(e.show(dialect, token, p), http.StatusUnauthorized)
}

// eachDialect runs a subtest for each, by name.
func (e *every) eachDialect(what string, f func(dialect string)) {
	e.t.Helper()
	for _, name := range table.Names() {
		e.run(name+": "+what, func(*testing.T) { f(name) })
	}
}

// sessions returns the rows of the store.
func (w *whole) sessions() []store.Session {
	w.t.Helper()
	rows, total, err := w.runtime().Store.Sessions.FindSessions(w.t.Context(), gateway.DefaultRealm, store.SessionQuery{})
	if err != nil {
		w.t.Fatal(err)
	}
	if total != len(rows) {
		w.t.Fatalf("only %d of %d sessions were returned", len(rows), total)
	}
	return rows
}

// sessionOf returns the row of a token.
func (w *whole) sessionOf(token string) store.Session {
	w.t.Helper()
	row, err := w.runtime().Store.Sessions.Session(w.t.Context(), gateway.DefaultRealm, store.SessionRef{Digest: auth.DigestOf(token)})
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

// node starts a Caddy of another process on the store and the key ring of this
// one, with the same guard, and returns its address.
func (w *whole) node(block string) string {
	w.t.Helper()
	other := &whole{t: w.t, dir: w.dir, upstream: w.upstream, site: "http://" + freeAddress(w.t), client: w.client}
	text := setting{sites: guardedSite(block), log: "\n\toutput discard"}.text()
	config := filepath.Join(w.t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(other.fill(text)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestWholeChild$")
	cmd.Env = append(os.Environ(), childConfig+"="+config)
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("the other node ended with %v: %s", err, &out)
		}
	})
	eventually(w.t, 60*time.Second, "the other node answers", func() bool {
		a, err := w.try(w.t.Context(), http.MethodGet, other.site+"/", "")
		return err == nil && a.status == http.StatusUnauthorized
	})
	return other.site
}

// atOnce makes one request many times at the same moment, from each node in
// turn, and returns the answers.
func (w *whole) atOnce(times int, r request, nodes ...string) []answer {
	w.t.Helper()
	answers, faults := make([]answer, times), make([]error, times)
	var done sync.WaitGroup
	begin := make(chan struct{})
	for i := range times {
		done.Go(func() {
			<-begin
			answers[i], faults[i] = w.try(w.t.Context(), r.method, nodes[i%len(nodes)]+r.path, r.body, r.fields...)
		})
	}
	close(begin)
	done.Wait()
	if i := slices.IndexFunc(faults, func(err error) bool { return err != nil }); i >= 0 {
		w.t.Fatal(faults[i])
	}
	return answers
}

// auditedSince returns the events of a kind that were written after the first n
// lines of the audit log.
func (w *whole) auditedSince(n int, kind auth.EventKind) []map[string]any {
	w.t.Helper()
	var found []map[string]any
	for _, line := range w.logged("http.handlers.gatehouse.audit", "")[n:] {
		if line["msg"] == string(kind) {
			found = append(found, line)
		}
	}
	return found
}

func (w *whole) auditLines() int {
	w.t.Helper()
	return len(w.logged("http.handlers.gatehouse.audit", ""))
}

// newDisabled is an account that is switched off.
func newDisabled() admin.NewAccount {
	return admin.NewAccount{Username: "gone", Password: auth.NewSecret(annPassword), Disabled: true}
}
