package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/docs/openapi"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// describedAt is a site with one login that serves its document.
func describedAt(t testing.TB, name, path string, change ...func(*dialect.Config)) gateway.Config {
	t.Helper()
	return gateway.Config{Logins: []gateway.Login{documented(login(t, name, change...), path)}}
}

func pathsOf(t testing.TB, document string) []string {
	t.Helper()
	paths, err := openapi.Paths([]byte(document))
	must(t, err)
	return paths
}

func TestEveryDialectServesItsDocumentToAnyone(t *testing.T) {
	for _, k := range table.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			path := k.Base + "/openapi.json"
			w := newWorld(t, describedAt(t, k.Name, path))
			got := w.do(get(path))
			want, _ := openapi.Document(k.Name)
			if got.StatusCode != http.StatusOK || got.body != string(want) {
				t.Fatalf("answered %d: %s", got.StatusCode, got.body)
			}
			h := got.Header
			if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-cache" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("fields %v", h)
			}
			if len(w.events) != 0 || len(w.counted) != 0 {
				t.Errorf("audited %v, counted %q", w.events, w.counted)
			}
		})
	}
}

func TestNoDocumentIsServedUnlessConfigured(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "management")}})
	wantAnswered(t, w.do(get("/v1/auth/openapi.json")), http.StatusNotFound)
	wantRefused(t, w.do(get("/docs/login.json")), http.StatusUnauthorized)
}

func TestADocumentIsAskedForAgainByItsTag(t *testing.T) {
	w := newWorld(t, describedAt(t, "management", "/v1/auth/openapi.json"))
	tag := w.do(get("/v1/auth/openapi.json")).Header.Get("ETag")
	got := w.do(get("/v1/auth/openapi.json", "If-None-Match: "+tag))
	if len(tag) < 18 || got.StatusCode != http.StatusNotModified || got.body != "" {
		t.Errorf("the tag %s is answered %d: %s", tag, got.StatusCode, got.body)
	}
	moved := newWorld(t, describedAt(t, "management", "/api/openapi.json", func(c *dialect.Config) { c.Base = "/api" }))
	if other := moved.do(get("/api/openapi.json")).Header.Get("ETag"); other == tag {
		t.Error("another document has the same tag")
	}
}

func TestADocumentSaysWhereItsCallsStand(t *testing.T) {
	w := newWorld(t, describedAt(t, "management", "/docs/login.json", func(c *dialect.Config) {
		c.Base, c.Options = "/api/session", map[string][]string{"key_header": {"X-Licence-Key"}}
	}))
	got := w.do(get("/docs/login.json"))
	if paths := pathsOf(t, got.body); !slices.Equal(paths, []string{"/api/session/login", "/api/session/logout", "/api/session/user"}) {
		t.Errorf("paths %q", paths)
	}
	if !strings.Contains(got.body, `"name": "X-Licence-Key"`) {
		t.Error("the field of the key has its default name")
	}
}

func TestADocumentOutsideTheBasePathTakesNothingElse(t *testing.T) {
	w := newWorld(t, describedAt(t, "management", "/docs/login.json"))
	for _, path := range []string{"/docs", "/docs/", "/docs/login.json/", "/docs/login.json/x", "/docs/login.jsonx"} {
		wantRefused(t, w.do(get(path)), http.StatusUnauthorized)
		wantForwarded(t, w.do(get(path, asAnn)), annID)
	}
	// The dialect folds its paths, so no other case reaches the upstream.
	if got := w.do(get("/DOCS/Login.json")); got.forwarded != nil || got.StatusCode != http.StatusOK {
		t.Errorf("another case is answered %d", got.StatusCode)
	}
}

func TestADocumentIsReadAndNothingElse(t *testing.T) {
	w := newWorld(t, describedAt(t, "management", "/v1/auth/openapi.json"))
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"} {
		got := w.do(request(method, "/v1/auth/openapi.json", asAnn))
		wantAnswered(t, got, http.StatusMethodNotAllowed)
		if got.Header.Get("Allow") != "GET, HEAD" || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: fields %v", method, got.Header)
		}
	}
	if n := len(w.refusals()); n != 6 || w.refusals()[0].Reason != auth.ReasonMethod {
		t.Errorf("audited %+v", w.refusals())
	}
	head := w.do(request(http.MethodHead, "/v1/auth/openapi.json"))
	if head.StatusCode != http.StatusOK || head.body != "" || head.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD is answered %d with %d bytes: %v", head.StatusCode, len(head.body), head.Header)
	}
	wantAnswered(t, w.do(dialectCalls["management"].login()), http.StatusOK)
}

func TestAScriptOfAListedOriginReadsTheDocument(t *testing.T) {
	w := newWorld(t, describedAt(t, "management", "/v1/auth/openapi.json", func(c *dialect.Config) {
		c.CORS = []string{"https://app.example.com"}
	}))
	for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "https://evil.example": ""} {
		got := w.do(get("/v1/auth/openapi.json", "Origin: "+origin))
		if allowed := got.Header.Get("Access-Control-Allow-Origin"); got.StatusCode != http.StatusOK || allowed != want {
			t.Errorf("%s is allowed %q", origin, allowed)
		}
		if !slices.Contains(got.Header.Values("Vary"), "Origin") {
			t.Error("a cache would keep it for other origins")
		}
	}
	got := w.do(request(http.MethodOptions, "/v1/auth/openapi.json", "Origin: https://app.example.com", "Access-Control-Request-Method: GET"))
	if got.StatusCode != http.StatusNoContent || got.Header.Get("Access-Control-Allow-Methods") != "GET, HEAD" {
		t.Errorf("a preflight is answered %d: %v", got.StatusCode, got.Header)
	}
}

func TestADocumentNeedsAPathOfItsOwn(t *testing.T) {
	second := login(t, "timed_login")
	for _, c := range []struct {
		name string
		cfg  gateway.Config
		want string
	}{
		{"not one of its calls", describedAt(t, "management", "/v1/auth/login"), "login management /v1/auth: openapi: /v1/auth/login is one of its calls: the document needs a path of its own"},
		{"not one of its calls in another case", describedAt(t, "management", "/V1/Auth/LOGIN"), "is one of its calls"},
		{"not the path of another login", beside(describedAt(t, "management", "/login"), second), "login management /v1/auth and login timed_login /login both answer /login"},
		{"not below another login", beside(describedAt(t, "management", "/login/openapi.json"), second), "both answer"},
		{"not the document of another login", beside(describedAt(t, "management", "/docs.json"), documented(second, "/docs.json")), "both answer /docs.json"},
		{"not where the dialect has none", gateway.Config{Logins: []gateway.Login{nameless(documented(second, "/docs.json"))}}, "there is no document of "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := gateway.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func beside(cfg gateway.Config, l gateway.Login) gateway.Config {
	cfg.Logins = append(cfg.Logins, l)
	return cfg
}

func documented(l gateway.Login, path string) gateway.Login {
	l.Config.OpenAPI = path
	return l
}

func nameless(l gateway.Login) gateway.Login {
	l.Kind.Name = "sixth"
	return l
}

func TestRoutesAreThoseOfTheGuard(t *testing.T) {
	routes, err := documented(login(t, "management"), "/docs.json").Routes()
	must(t, err)
	if !slices.ContainsFunc(routes, func(r dialect.Route) bool { return r.Covers("/docs.json") && r.Exact }) {
		t.Errorf("routes %+v", routes)
	}
	if _, err := documented(login(t, "management"), "/v1/auth/user").Routes(); err == nil {
		t.Error("a call of its own passed")
	}
}

// TestADocumentIsNoWayPastTheStart: a site without a runtime answers nothing.
func TestADocumentIsNoWayPastTheStart(t *testing.T) {
	w := newWorld(t, describedAt(t, "management", "/docs.json"))
	w.site = w.newSite(describedAt(t, "management", "/docs.json"))
	wantAnswered(t, w.do(get("/docs.json")), http.StatusServiceUnavailable)
}
