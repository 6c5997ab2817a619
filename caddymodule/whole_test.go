package caddymodule

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// The whole tests run a real Caddy in this process, on folders and ports of
// their own, between real clients and a real upstream. Caddy's configuration
// is one per process, so none of them is parallel.

// whole is a running Caddy with one guarded site.
type whole struct {
	t testing.TB
	// dir holds everything that Caddy writes; site and upstream are
	// addresses like http://127.0.0.1:4711.
	dir, site, upstream string
	client              *http.Client
	app                 *App
}

// setting is a Caddyfile in parts. In all of them SITE, UPSTREAM and DIR stand
// for what start chose.
type setting struct {
	// options are global options beside those that every test needs, and
	// gatehouse those of the global gatehouse block.
	options, gatehouse string
	// log is the block of the default log; its default hides credentials and
	// writes DIR/caddy.log.
	log string
	// sites is the rest of the file.
	sites string
}

const defaultLog = `
	output file DIR/caddy.log
	level DEBUG
	format gatehouse`

func (s setting) text() string {
	if s.log == "" {
		s.log = defaultLog
	}
	if !strings.Contains(s.options, "admin ") {
		s.options += "\n\tadmin off\n\tpersist_config off"
	}
	if !strings.Contains(s.gatehouse, "store ") {
		s.gatehouse += "\n\t\tstore sqlite DIR/gatehouse.db"
	}
	return "{\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n" + s.options +
		"\n\tlog {" + s.log + "\n\t}\n\tgatehouse {" + s.gatehouse + "\n\t}\n}\n" + s.sites
}

// guarded is the usual site: block in the guard, a proxy behind it.
func guardedSite(block string) string {
	return "SITE {\n\tlog\n\tgatehouse {\n" + block + "\n\t}\n\treverse_proxy UPSTREAM\n}\n"
}

// start runs a Caddy with one guarded site.
func start(t *testing.T, block string) *whole {
	t.Helper()
	return startSetting(t, setting{sites: guardedSite(block)})
}

func startSetting(t *testing.T, s setting) *whole {
	t.Helper()
	w := prepare(t)
	w.load(s)
	return w
}

// prepare chooses folders and addresses and starts the upstream.
func prepare(t testing.TB) *whole {
	t.Helper()
	// With the race detector on a busy machine a store is not late for anybody.
	fileLookup, storeTime = 3*time.Second, 3*time.Second
	dir := t.TempDir()
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME"} {
		t.Setenv(name, dir)
	}
	// Caddy reads these two from the environment before any test runs.
	certify(t, dir)
	storage, autosave := caddy.DefaultStorage, caddy.ConfigAutosavePath
	caddy.DefaultStorage = &certmagic.FileStorage{Path: caddy.AppDataDir()}
	caddy.ConfigAutosavePath = filepath.Join(caddy.AppConfigDir(), "autosave.json")
	up := httptest.NewServer(http.HandlerFunc(echo))
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // a certificate of this test
	w := &whole{
		t: t, dir: dir, upstream: up.URL, site: "http://" + freeAddress(t),
		client: &http.Client{
			Transport: transport, Timeout: 30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
		up.Close()
		caddy.DefaultStorage, caddy.ConfigAutosavePath = storage, autosave
	})
	return w
}

// run is t.Run for a Caddy that the subtest shares: what fails then fails there.
func (w *whole) run(name string, f func(*testing.T)) {
	outer, ok := w.t.(*testing.T)
	if !ok {
		w.t.Fatal("a benchmark has no subtests")
	}
	outer.Run(name, func(t *testing.T) {
		w.t = t
		defer func() { w.t = outer }()
		f(t)
	})
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// fill puts what start chose into a text.
func (w *whole) fill(text string) string {
	return strings.NewReplacer("SITE", w.site, "UPSTREAM", w.upstream, "DIR", w.dir).Replace(text)
}

// config returns the JSON of a setting.
func (w *whole) config(s setting) []byte {
	w.t.Helper()
	out, _, err := adapt([]byte(w.fill(s.text())))
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// load has Caddy run a setting, whether or not it is new.
func (w *whole) load(s setting) {
	w.t.Helper()
	w.loadJSON(w.config(s))
}

func (w *whole) loadJSON(config []byte) {
	w.t.Helper()
	if err := caddy.Load(config, true); err != nil {
		w.t.Fatal(err)
	}
	// Caddy closes what the configuration before this one had open.
	w.client.CloseIdleConnections()
	w.find()
}

// find looks up the app of the running configuration.
func (w *whole) find() {
	w.t.Helper()
	app, err := appOf(caddy.ActiveContext())
	if err != nil {
		w.t.Fatal(err)
	}
	w.app = app
}

func (w *whole) runtime() *gateway.Runtime { return w.app.state.shared.runtime() }

// admin manages a realm of the running gateway's store.
func (w *whole) admin(realm string) *admin.Admin {
	rt := w.runtime()
	return &admin.Admin{Store: rt.Store, Hasher: rt.Hasher, Now: rt.Now, Realm: realm}
}

// The account that most tests use.
const (
	annName     = "ann"
	annPassword = "correct horse battery"
)

// ann adds the account that most tests use and returns it with an API key.
func (w *whole) ann(roles ...string) (store.Account, string) {
	w.t.Helper()
	return w.account(admin.NewAccount{Username: annName, Password: auth.NewSecret(annPassword), Roles: roles})
}

func (w *whole) account(n admin.NewAccount) (store.Account, string) {
	w.t.Helper()
	a := w.admin(gateway.DefaultRealm)
	row, err := a.AddAccount(w.t.Context(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	_, key, err := a.CreateKey(w.t.Context(), admin.NewKey{
		Account: n.Username, Tenant: n.Tenant, Name: "test", Permissions: auth.Read | auth.Write,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return row, key.Reveal()
}

// token makes a token for an account.
func (w *whole) token(account, tenant string) (store.Session, string) {
	w.t.Helper()
	row, text, err := w.admin(gateway.DefaultRealm).CreateToken(w.t.Context(), account, tenant, time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return row, text.Reveal()
}

// seen is a request as the upstream received it.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

// echo is the upstream: it answers with what it received.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/x-echo+json")
	_ = json.NewEncoder(w).Encode(seen{Method: r.Method, URI: r.RequestURI, Body: string(body), Header: r.Header})
}

// answer is what a client got. seen is nil where the upstream was not asked.
type answer struct {
	status int
	header http.Header
	body   string
	seen   *seen
}

// String is the answer as a failed test shows it.
func (a answer) String() string { return fmt.Sprintf("%d %v\n%s", a.status, a.header, a.body) }

// get asks for a path; fields are header fields as "Name: value".
func (w *whole) get(path string, fields ...string) answer {
	w.t.Helper()
	return w.do(http.MethodGet, path, "", fields...)
}

func (w *whole) post(path, body string, fields ...string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, path, body, fields...)
}

// do makes a request. A GET whose connection ends without an answer is made
// again: at a reload Caddy may have taken it with the server that it then shuts
// down.
func (w *whole) do(method, path, body string, fields ...string) answer {
	w.t.Helper()
	a, err := w.try(w.t.Context(), method, w.site+path, body, fields...)
	for tries := 0; err != nil && method == http.MethodGet && tries < 5; tries++ {
		a, err = w.try(w.t.Context(), method, w.site+path, body, fields...)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// try makes a request, from any goroutine.
func (w *whole) try(ctx context.Context, method, url, body string, fields ...string) (answer, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return answer{}, err
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	res, err := w.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	if res.Header.Get("Content-Type") == "application/x-echo+json" {
		a.seen = new(seen)
		if err := json.Unmarshal(text, a.seen); err != nil {
			return a, err
		}
	}
	return a, err
}

// passed fails the test unless the upstream answered, and returns what it saw.
func (w *whole) passed(a answer) seen {
	w.t.Helper()
	if a.status != http.StatusOK || a.seen == nil {
		w.t.Fatalf("the request did not reach the upstream: %v", a)
	}
	return *a.seen
}

// refused fails the test unless the gateway answered with status.
func (w *whole) refused(a answer, status int) {
	w.t.Helper()
	if a.status != status || a.seen != nil {
		w.t.Fatalf("want %d from the gateway: %v", status, a)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("a refusal with Cache-Control %q", got)
	}
}

const jsonType = "Content-Type: application/json"

// login logs in over management and returns the token.
func (w *whole) login(name, password string) string {
	w.t.Helper()
	a := w.tryLogin(name, password)
	if a.status != http.StatusOK {
		w.t.Fatalf("logging in: %v", a)
	}
	return memberOf(w.t, a.body, "token")
}

func (w *whole) tryLogin(name, password string) answer {
	w.t.Helper()
	return w.post("/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password), jsonType)
}

// memberOf returns a string member of a JSON object.
func memberOf(t testing.TB, body, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	text, ok := object[name].(string)
	if !ok || text == "" {
		t.Fatalf("no member %s: %s", name, body)
	}
	return text
}

func bearerOf(token string) string { return "Authorization: Bearer " + token }

// eventually waits until ok, which must become so soon.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s it is still not so: %s", within, what)
		}
		<-tick.C
	}
}

// untilTLS waits for the certificate, which Caddy gets in the background.
func (w *whole) untilTLS() {
	w.t.Helper()
	eventually(w.t, 20*time.Second, "TLS works", func() bool {
		_, err := w.try(w.t.Context(), http.MethodGet, w.site+"/", "")
		return err == nil
	})
}

// logged returns the lines of a log file that have this logger and, where it
// is not empty, this message.
func (w *whole) logged(logger, message string) []map[string]any {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "caddy.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []map[string]any
	for line := range bytes.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			w.t.Fatalf("a line of the log is no JSON: %q", line)
		}
		if fields["logger"] == logger && (message == "" || fields["msg"] == message) {
			lines = append(lines, fields)
		}
	}
	return lines
}
