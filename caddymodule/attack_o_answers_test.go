package caddymodule

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// telling finds what an answer has no business to tell: a stack, a query, a
// file, a place in the source, an address behind the gateway, a version.
var telling = regexp.MustCompile(`(?i)goroutine|panic|runtime error|\.go:\d|sql|select |insert |constraint|schema|database|the store|/tmp/|gatehouse\.db|` +
	`127\.0\.0\.1|upstream|v\d+\.\d+\.\d+|go1\.|github\.com|caddyhttp|nil pointer`)

// sayNothing fails the test if an answer of the gateway tells anything of what
// is behind it.
func (w *whole) sayNothing(what string, a answer) {
	w.t.Helper()
	text := strings.ReplaceAll(a.String(), "Server:[Caddy]", "")
	if found := telling.FindString(text); found != "" {
		w.t.Errorf("%s: the answer tells %q: %v", what, found, a)
	}
	for _, name := range []string{w.dir, strings.TrimPrefix(w.upstream, "http://")} {
		if strings.Contains(text, name) {
			w.t.Errorf("%s: the answer tells %q: %v", what, name, a)
		}
	}
}

// TestO03NoErrorTellsWhatIsBehindTheGateway, whoever's fault it is.
func TestO03NoErrorTellsWhatIsBehindTheGateway(t *testing.T) {
	w := start(t, everyDialect)
	m := addMember(t, w.admin("default"))
	m.login(w, w.site)
	calls := []string{"/v1/auth/login", "/timed", "/entities/x/users/y/authentication-token", "/login-token", "/authentication", "/crm/token", "/oauth2/token", "/oauth2/introspect"}
	ask := func(when string, least int) {
		t.Helper()
		failed := 0
		for _, path := range calls {
			for _, media := range []string{"application/json", "application/xml", "application/x-www-form-urlencoded", "text/plain", "x/\xff"} {
				for _, body := range []string{
					"", "{", `{"strategy":"local","username":"mia","password":"wrong one","organisation":"Acme"}`, `{"UserLogin":"'; DROP TABLE accounts","ApiKey":"%s%n"}`,
					`<a b="c"><![CDATA[`, "grant_type=refresh_token&refresh_token=%00", "grant_type=client_credentials&client_id=1&client_secret=x", `{"strategy":"local","username":"\ud800"}`, "\x00\xff\xfe",
				} {
					a := w.post(path, body, "Content-Type: "+media)
					w.sayNothing(when+": POST "+path+" "+body, a)
					if a.status >= 400 {
						failed++
					}
				}
			}
			for _, method := range []string{"GET", "PUT", "DELETE", "TRACE", "FROB"} {
				w.sayNothing(when+": "+method+" "+path, w.do(method, path, ""))
			}
		}
		for name, fields := range m.fields {
			if len(fields) > 0 {
				w.sayNothing(when+": "+name, w.get("/a/%2e%2e/"+name[:3], fields...))
				w.sayNothing(when+": "+name, w.get("/admin/x", append(fields, "x-api-key: api_nothing")...))
			}
		}
		if failed < least {
			t.Errorf("%s: %d calls failed, want %d at least", when, failed, least)
		}
	}
	ask("all is well", 200)
	if err := w.runtime().Store.Close(); err != nil {
		t.Fatal(err)
	}
	ask("the store is gone", 200)
	w.sayNothing("a login", w.post("/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, m.member, m.password), jsonType))
}

// TestO11NoPageOfAnotherSiteLogsInRefreshesOrEnds: a browser sends forms and
// plain text anywhere, with its cookies; it sends nothing else without asking.
func TestO11NoPageOfAnotherSiteLogsInRefreshesOrEnds(t *testing.T) {
	w := start(t, everyDialect)
	m := addMember(t, w.admin("default"))
	m.login(w, w.site)
	page := []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}
	bodies := []string{
		fmt.Sprintf(`{"username":%q,"password":%q}`, m.member, m.password),
		fmt.Sprintf(`{"UserLogin":%q,"ApiKey":%q}`, m.member, m.key),
		fmt.Sprintf(`{"strategy":"local","username":%q,"password":%q}`, m.member, m.password),
		fmt.Sprintf(`{"username":%q,"password":%q,"organisation":%q,"x":"="}`, m.member, m.password, m.tenant),
		fmt.Sprintf(`username=%s&password=%s`, m.member, m.password),
		fmt.Sprintf(`{"token":%q}`, m.good["crm_token"]),
		"{}",
	}
	w.run("a form or plain text is no login and no logout, whatever cookies it brings", func(t *testing.T) {
		for _, path := range []string{"/v1/auth/login", "/v1/auth/logout", "/v1/auth/user", "/authentication", "/login-token"} {
			for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
				for _, body := range bodies {
					fields := append([]string{
						"Content-Type: " + media,
						"Cookie: token=" + m.good["management"] + "; Authorization=" + m.good["management jwt"] + "; feathers-jwt=" + m.good["login_token jwt"],
					}, page...)
					a := w.post(path, body, fields...)
					if a.status < 400 || a.seen != nil {
						t.Errorf("%s as %s of %s: %v", path, media, body, a)
					}
				}
			}
		}
	})
	// The contract of crm_token has no say in media types, and its calls take
	// nothing but what stands in their body: a page that knows that needs no
	// browser of somebody else.
	w.run("a dialect that reads any media type tells another site nothing and ends nothing by a cookie", func(t *testing.T) {
		for _, path := range []string{"/crm/token", "/crm/token/release"} {
			a := w.post(path, "{}", append([]string{"Content-Type: text/plain", "Cookie: token=" + m.good["crm_token"]}, page...)...)
			if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, `"OK"`) {
				t.Errorf("%s: %v", path, a)
			}
		}
	})
	w.run("no cookie is a credential and none is set", func(t *testing.T) {
		for name, token := range m.good {
			for _, cookie := range []string{"token", "Token", "session", "access_token", "Authorization", "x-api-key", "feathers-jwt"} {
				w.refused(w.get("/x", append(page, "Cookie: "+cookie+"="+token)...), http.StatusUnauthorized)
			}
			_ = name
		}
		for _, body := range bodies[:4] {
			for _, path := range []string{"/v1/auth/login", "/timed", "/authentication", "/crm/token"} {
				if a := w.post(path, body, jsonType); a.header.Get("Set-Cookie") != "" {
					t.Errorf("%s set %s", path, a.header.Get("Set-Cookie"))
				}
			}
		}
	})
	w.run("no other site is told that it may read or send more", func(t *testing.T) {
		for _, path := range []string{"/v1/auth/login", "/timed", "/login-token", "/crm/token", "/oauth2/token", "/x"} {
			a := w.do(http.MethodOptions, path, "", "Origin: https://evil.example", "Access-Control-Request-Method: POST",
				"Access-Control-Request-Headers: authorization,content-type")
			if a.header.Get("Access-Control-Allow-Origin") != "" || a.seen != nil {
				t.Errorf("%s: %v", path, a)
			}
		}
	})
	w.run("nothing was ended by any of it", func(t *testing.T) {
		for name, fields := range m.fields {
			if len(fields) > 0 && !strings.HasPrefix(name, "oauth2 access") {
				w.passed(w.get("/x", fields...))
			}
		}
	})
}

// panicking is a matcher that is broken.
type panicking struct{}

func init() { caddy.RegisterModule(panicking{}) }

func (panicking) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.test_panicking", New: func() caddy.Module { return new(panicking) }}
}

func (panicking) MatchWithError(r *http.Request) (bool, error) {
	switch r.URL.Query().Get("break") {
	case "panic":
		var claim *http.Request
		_ = claim.Method
	case "error":
		return true, errors.New("a matcher that cannot say")
	}
	return false, nil
}

var _ caddyhttp.RequestMatcherWithError = panicking{}

// TestO13APanicOrABrokenRowIsAFaultOfOurs: 500, told to the operator and to
// nobody else, never forwarded, and the process lives.
func TestO13APanicOrABrokenRowIsAFaultOfOurs(t *testing.T) {
	w := prepare(t)
	s := setting{sites: guardedSite("login management\nlogin timed_login\ninsecure_http\npublic /open/*")}
	config := string(w.config(s))
	broken := strings.Replace(config, `"public":[`, `"public":[{"match":[{"test_panicking":{}}]},`, 1)
	if broken == config {
		t.Fatal("the matcher has no place in the configuration")
	}
	w.loadJSON([]byte(broken))
	_, key := w.ann()
	token := w.login(annName, annPassword)
	ours := func(t *testing.T, what string, a answer) {
		t.Helper()
		w.refused(a, http.StatusInternalServerError)
		w.sayNothing(what, a)
		if a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: told as the caller's fault: %v", what, a)
		}
	}
	tokens := map[string]string{} // that nothing is cached of
	for _, what := range []string{"roles", "addresses", "profile"} {
		_, tokens[what] = w.token(annName, "")
	}
	faults := func() (n int) {
		for _, line := range w.logged("http.handlers.gatehouse.audit", "") {
			if line["code"] == "internal" && line["level"] == "error" && line["cause"] != nil {
				n++
			}
		}
		return n
	}
	for _, how := range []string{"panic", "error"} {
		w.run("a matcher that ends in an "+how, func(t *testing.T) {
			before := faults()
			for _, path := range []string{"/x", "/open/x"} {
				for _, fields := range [][]string{nil, {bearerOf(token)}, {"x-api-key: " + key}} {
					ours(t, how+" "+path, w.get(path+"?break="+how, fields...))
				}
			}
			if n := faults() - before; n != 6 {
				t.Errorf("%d of 6 were told to the operator", n)
			}
			w.passed(w.get("/x", bearerOf(token)))
		})
	}
	w.run("a row that cannot be read", func(t *testing.T) {
		db, err := sql.Open("sqlite", filepath.Join(w.dir, "gatehouse.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		for what, change := range map[string]string{
			"roles":     `UPDATE accounts SET addresses = '[]', profile = '{}', roles = '{"a":'`,
			"addresses": `UPDATE accounts SET roles = '[]', profile = '{}', addresses = '["nowhere"]'`,
			"profile":   `UPDATE accounts SET addresses = '[]', roles = '[]', profile = '[1,'`,
		} {
			if _, err := db.ExecContext(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			ours(t, what, w.get("/x", bearerOf(tokens[what])))
			ours(t, what, w.get("/open/x", bearerOf(tokens[what])))
			ours(t, what, w.tryLogin(annName, annPassword))
		}
		if _, err := db.ExecContext(t.Context(), `UPDATE accounts SET addresses = '[]', roles = '[]', profile = '{}', password = '$argon2id$v=19$m=broken'`); err != nil {
			t.Fatal(err)
		}
		ours(t, "password", w.tryLogin(annName, annPassword))
	})
	w.run("and the process lives", func(t *testing.T) {
		w.passed(w.get("/open/x"))
		w.refused(w.get("/x"), http.StatusUnauthorized)
	})
}
