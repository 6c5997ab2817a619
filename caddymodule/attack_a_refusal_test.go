package caddymodule

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// allReasons reads the constants of package auth, so that a new one needs a
// case below.
func allReasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/auth/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			all = append(all, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	return all
}

// TestEveryReasonStandsInTheAuditLog: each is why something is refused in a
// real server, and the log says so; a guarded request that is refused says it
// to operators too, with debug.
func TestEveryReasonStandsInTheAuditLog(t *testing.T) {
	o := newOutsideIssuer(t)
	dead := "http://" + freeAddress(t)
	rules := "debug\ntrust " + o.URL + " {\n\taudience api\n}\ntrust " + dead + " {\n\taudience api\n\tjwks " + dead + "/keys\n}\n"
	for _, line := range []string{"role admin", "scope deep", "permission delete", "tenant {query.tenant}", "subject {path.2}"} {
		rules += "require /needs/" + strings.Fields(line)[0] + "/* {\n\t" + line + "\n}\n"
	}
	e := &every{whole: startSetting(t, setting{
		options: "admin off\n\tpersist_config off\n\tservers {\n\t\ttimeouts {\n\t\t\tread_body 500ms\n\t\t}\n\t}",
		sites:   guardedSite(everyLogin + "\n" + rules),
	})}
	e.ann, e.bob = e.party(annName, annPassword, "Acme", "user"), e.party("bob", "another battery staple", "Other")
	keyThat := func(n admin.NewKey) string {
		n.Account = annName
		_, text := e.newKey(n)
		return "x-api-key: " + text
	}
	revoked, revokedText := e.newKey(admin.NewKey{Account: annName})
	if _, err := e.admin(gateway.DefaultRealm).RevokeKey(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := e.admin(gateway.DefaultRealm).AddAccount(t.Context(), newDisabled()); err != nil {
		t.Fatal(err)
	}
	_, ofDisabled := e.newKey(admin.NewKey{Account: "gone"})
	expired, expiredText := e.newKey(admin.NewKey{Account: annName, Expires: time.Now().Add(2 * time.Millisecond)})
	eventually(t, time.Second, "a key has expired", func() bool { return time.Now().After(expired.Expires) })
	session := e.logIn("login_token", e.ann)
	forged := session[:len(session)-20] + respelledOpaque(session[len(session)-20:])
	reader := keyThat(admin.NewKey{Name: "reader"})
	_, user := e.token(annName, "")
	foreign := func(claims jwt.MapClaims) string { return bearerOf(o.token(t, claims)) }

	told := "" // to operators, of a guarded request
	get := func(path string, fields ...string) func() {
		return func() { told = e.get(path, fields...).header.Get(gateway.ReasonField) }
	}
	post := func(path, body string, fields ...string) func() { return func() { e.postJSON(path, body, fields...) } }
	cases := map[auth.Reason]func(){
		auth.ReasonUnknown:    get("/x", bearerOf("ght_unknown")),
		auth.ReasonExpired:    get("/x", "x-api-key: "+expiredText),
		auth.ReasonRevoked:    get("/x", "x-api-key: "+revokedText),
		auth.ReasonDisabled:   get("/x", "x-api-key: "+ofDisabled),
		auth.ReasonPassword:   post("/v1/auth/login", `{"username":"ann","password":"wrong"}`),
		auth.ReasonSignature:  get("/x", bearerOf(forged)),
		auth.ReasonMismatch:   get("/x", "apikey: "+e.bob.key, "userid: ann", "token: "+user),
		auth.ReasonAmbiguous:  get("/x", "x-api-key: "+e.bob.key, bearerOf(user)),
		auth.ReasonDuplicate:  get("/x", bearerOf(user), bearerOf(user)),
		auth.ReasonForm:       post("/v1/auth/login", `{"username":7}`),
		auth.ReasonTooLarge:   post("/v1/auth/login", `{"username":"`+strings.Repeat("a", 70_000)+`"}`),
		auth.ReasonMediaType:  func() { e.post("/login", "x", "Content-Type: text/html") },
		auth.ReasonPath:       get("//x"),
		auth.ReasonMethod:     func() { e.do("FROB", "/x", "") },
		auth.ReasonAddress:    get("/x", keyThat(admin.NewKey{Name: "elsewhere", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})),
		auth.ReasonRole:       get("/needs/role", bearerOf(user)),
		auth.ReasonScope:      get("/needs/scope", bearerOf(user)),
		auth.ReasonPermission: get("/needs/permission", reader),
		auth.ReasonTenant:     get("/needs/tenant?tenant=Other", bearerOf(user)),
		auth.ReasonSubject:    get("/needs/subject/"+e.bob.ID, bearerOf(user)),
		auth.ReasonIssuer:     get("/x", foreign(jwt.MapClaims{"iss": dead})),
		auth.ReasonAudience:   get("/x", foreign(jwt.MapClaims{"aud": "others"})),
		auth.ReasonEarlyData:  post("/v1/auth/login", `{"username":"ann","password":"x"}`, "Early-Data: 1"),
		auth.ReasonReplayed: func() {
			_, refresh := e.tokens(e.ann)
			e.refresh(e.ann, refresh)
			e.refresh(e.ann, refresh)
		},
		auth.ReasonUnsupported: func() { e.oauth2(e.ann, "/token", url.Values{"grant_type": {"password"}}) },
		auth.ReasonAttempts: func() {
			for range 6 {
				e.tryLogin("locked", "wrong")
			}
		},
		auth.ReasonQueue: func() { // more at once than may wait for one name
			body := fmt.Sprintf(`{"username":"crowd%d","password":"wrong"}`, time.Now().UnixNano())
			e.atOnce(400, request{http.MethodPost, "/v1/auth/login", body, []string{jsonType}}, e.site)
		},
		auth.ReasonTimeout: func() { // a body that does not end
			c, err := net.Dial("tcp", e.host())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "POST /v1/auth/login HTTP/1.1\r\nHost: "+e.host()+"\r\nContent-Length: 100\r\n"+jsonType+"\r\n\r\n{")
			_, _ = io.ReadAll(c)
		},
		auth.ReasonRate: func() {
			e.load(setting{sites: guardedSite("accept bearer\ndebug\nrate 1 1h {\n\tkey credential\n}")})
			e.get("/x", bearerOf(user))
			e.get("/x", bearerOf(user))
		},
		auth.ReasonStore: func() {
			e.load(setting{sites: guardedSite("accept bearer\ndebug")})
			if err := e.runtime().Store.Close(); err != nil {
				t.Fatal(err)
			}
			e.get("/x", bearerOf("ght_unknown"))
		},
		// A real server starts to listen when the store is open, and not at all
		// where it would take a credential in a query without TLS: package
		// gateway shows both, of guards that others have built. A key ring that
		// lacks a key takes a second gateway: package cmd/gatehouse has two.
		auth.ReasonStarting: nil, auth.ReasonCleartext: nil, auth.ReasonKeyRing: nil,
	}
	last := []auth.Reason{auth.ReasonRate, auth.ReasonStore} // they change the configuration, and the last ends it
	order := append(slices.DeleteFunc(slices.Sorted(maps.Keys(cases)), func(r auth.Reason) bool { return slices.Contains(last, r) }), last...)
	for _, reason := range order {
		provoke := cases[reason]
		if provoke == nil {
			continue
		}
		e.run(string(reason), func(t *testing.T) {
			before := e.auditLines()
			told = string(reason)
			eventually(t, 20*time.Second, "the audit log has it", func() bool {
				provoke()
				for _, line := range e.logged("http.handlers.gatehouse.audit", "")[before:] {
					if line["reason"] == string(reason) && line["ok"] == false {
						return true
					}
				}
				return false
			})
			if told != string(reason) {
				t.Errorf("with debug it tells %q", told)
			}
		})
	}
	for _, name := range allReasons(t) {
		if _, ok := cases[auth.Reason(name)]; !ok {
			t.Errorf("nothing shows the reason %s", name)
		}
	}
}

// TestMachineClientsAreNeverRedirected, and get a body that says what is wrong,
// whatever they accept and whatever they are refused for.
func TestMachineClientsAreNeverRedirected(t *testing.T) {
	for _, shape := range append(table.Names(), "problem") {
		t.Run(shape, func(t *testing.T) {
			e := startEvery(t, "require /admin/* {\n\trole admin\n}")
			e.load(setting{sites: guardedSite(strings.Replace(everyLogin, "errors problem", "errors "+shape, 1) + "\nrequire /admin/* {\n\trole admin\n}")})
			_, user := e.token(annName, "")
			for _, accept := range []string{"text/html,application/xhtml+xml", "application/json", "application/xml", "*/*", "text/plain;q=0", "image/png", "x"} {
				for _, a := range []answer{
					e.get("/x", "Accept: "+accept), e.get("/x", bearerOf("no"), "Accept: "+accept), e.get("/admin/x", bearerOf(user), "Accept: "+accept),
					e.get("//x", "Accept: "+accept), e.do("FROB", "/x", "", "Accept: "+accept), e.get("/x", bearerOf("a"), bearerOf("b"), "Accept: "+accept),
					e.get("/", "Accept: "+accept, "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Mode: navigate", "User-Agent: Mozilla/5.0"),
				} {
					if a.seen != nil || a.status/100 == 3 || a.header.Get("Location") != "" || a.header.Get("Refresh") != "" || a.body == "" ||
						strings.Contains(a.header.Get("Content-Type"), "html") {
						t.Errorf("%s: %v", accept, a)
					}
					if a.status/100 == 2 && shape != "crm_token" { // whose failures are 200 by contract
						t.Errorf("%s: %v", accept, a)
					}
				}
			}
		})
	}
}

// lookups are how often the store was asked, by operation.
func (w *whole) lookups() map[string]float64 {
	asked := map[string]float64{}
	for name, n := range w.metrics() {
		if op, ok := strings.CutPrefix(name, `gatehouse_store_seconds_count{op="`); ok {
			asked[strings.TrimSuffix(op, `"}`)] = n
		}
	}
	return asked
}

// TestWhoeverIsWrongGetsTheSameAnswerForTheSameWork: unknown, wrong, revoked and
// of another realm.
func TestWhoeverIsWrongGetsTheSameAnswerForTheSameWork(t *testing.T) {
	for _, shape := range append(table.Names(), "problem") {
		t.Run(shape, func(t *testing.T) {
			block := strings.Replace(everyLogin, "errors problem", "errors "+shape, 1) + "\naccept bearer api_key key_user_token basic\naccept query token"
			e := &every{whole: startSetting(t, setting{
				options: "admin off\n\tpersist_config off\n\tmetrics",
				sites:   "SITE {\n\tmetrics /metrics\n\tgatehouse /x* {\n" + block + "\n\t}\n\treverse_proxy UPSTREAM\n}\n",
			})}
			e.ann = e.party(annName, annPassword, "Acme", "user")
			_, user := e.token(annName, "")
			row, gone := e.token(annName, "")
			a := e.admin(gateway.DefaultRealm)
			if _, err := a.RevokeToken(t.Context(), row.ID); err != nil {
				t.Fatal(err)
			}
			key, goneKey := e.newKey(admin.NewKey{Account: annName})
			if _, err := a.RevokeKey(t.Context(), key.ID); err != nil {
				t.Fatal(err)
			}
			other := e.admin("elsewhere")
			if _, err := other.AddAccount(t.Context(), admin.NewAccount{Username: annName}); err != nil {
				t.Fatal(err)
			}
			_, foreign, err := other.CreateToken(t.Context(), annName, "", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			_, foreignKey, err := other.CreateKey(t.Context(), admin.NewKey{Account: annName})
			if err != nil {
				t.Fatal(err)
			}
			tokens := map[string]string{"unknown": "ght_AAAAAAAAAAAAAAAAAAAAAA", "wrong": respelledOpaque(user), "revoked": gone, "foreign": foreign.Reveal()}
			keys := map[string]string{"unknown": "api_" + strings.Repeat("a", 24), "wrong": e.ann.key[:27] + "!", "revoked": goneKey, "foreign": foreignKey.Reveal()}
			for how, c := range map[string]struct {
				texts map[string]string
				ask   func(text string) answer
			}{
				"bearer":          {tokens, func(x string) answer { return e.get("/x", bearerOf(x)) }},
				"query":           {tokens, func(x string) answer { return e.get("/x?token=" + x) }},
				"token of three":  {tokens, func(x string) answer { return e.get("/x", "apikey: "+e.ann.key, "userid: ann", "token: "+x) }},
				"entity token":    {tokens, func(x string) answer { return e.get("/x", "apikey: "+e.ann.key, "entity-authentication-token: "+x) }},
				"key":             {keys, func(x string) answer { return e.get("/x", "x-api-key: "+x) }},
				"key of three":    {keys, func(x string) answer { return e.get("/x", "apikey: "+x, "userid: ann", "token: "+user) }},
				"key beside none": {keys, func(x string) answer { return e.get("/x", "apikey: "+x, "userid: ann", "token: "+gone) }},
			} {
				e.run(how, func(t *testing.T) {
					var first answer
					var work, named string
					for _, what := range []string{"unknown", "wrong", "revoked", "foreign"} {
						before := e.lookups()
						got := c.ask(c.texts[what])
						if got.seen != nil {
							t.Fatalf("%s passed: %v", what, got)
						}
						done := map[string]float64{}
						for op, n := range e.lookups() {
							if n > before[op] && !background(op) {
								done[op] = n - before[op]
							}
						}
						if first.body == "" {
							first, work, named = got, fmt.Sprint(done), c.texts[what][:8]
							continue
						}
						alike(t, first, got, named, c.texts[what][:8]) // timed_login repeats that much, by contract
						if fmt.Sprint(done) != work {
							t.Errorf("%s: the store was asked for %v, and for an unknown one %s", what, done, work)
						}
					}
					if work == "map[]" {
						t.Error("no look-up was counted: the test shows nothing")
					}
				})
			}
		})
	}
}

// background reports whether an operation of the store may be nobody's request:
// the feed, the sweep and the care of signing keys go on meanwhile.
func background(op string) bool {
	for _, part := range []string{"hange", "weep", "commit", "signing"} {
		if strings.Contains(op, part) {
			return true
		}
	}
	return false
}

// respelledOpaque changes a character in the middle of a token.
func respelledOpaque(token string) string {
	c := byte('A')
	if token[10] == c {
		c = 'B'
	}
	return token[:10] + string(c) + token[11:]
}
