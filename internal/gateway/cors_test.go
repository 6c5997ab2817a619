package gateway_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

const (
	app      = "https://app.example.com"
	fromApp  = "Origin: " + app
	fromEvil = "Origin: https://evil.example"
	asksGet  = "Access-Control-Request-Method: GET"
)

func cors(origins ...string) func(*dialect.Config) {
	return func(c *dialect.Config) { c.CORS = origins }
}

// appSite is a world whose logins list the origin of an app and another one.
func appSite(t testing.TB, change ...func(*gateway.Config)) *world {
	t.Helper()
	cfg := gateway.Config{
		Logins: []gateway.Login{
			login(t, "management", cors(app)), login(t, "timed_login"),
			login(t, "timed_login", base("/other"), cors("https://admin.example.com", app)),
		},
		Public: docs, Errors: gateway.Problem,
	}
	for _, c := range change {
		c(&cfg)
	}
	return newWorld(t, cfg)
}

func preflight(target string, lines ...string) *http.Request {
	return request(http.MethodOptions, target, lines...)
}

func allowed(got result) string { return strings.Join(got.Header["Access-Control-Allow-Origin"], "|") }

// TestAPreflightOfAListedOriginIsAnsweredHere without a credential, and in the
// same way whatever the path and whatever the credential that is sent.
func TestAPreflightOfAListedOriginIsAnsweredHere(t *testing.T) {
	w := appSite(t)
	var first string
	for _, target := range []string{"/x", "/nothing/here?a=1", "/admin/", "*"} {
		for _, lines := range [][]string{nil, {asAnn}, {asNobody}, {withAnnKey, asBob}} {
			lines = append(lines, fromApp, asksGet, "Access-Control-Request-Headers: authorization,X-Api-Key, if-match")
			got := w.do(preflight(target, lines...))
			if got.forwarded != nil || got.StatusCode != http.StatusNoContent || got.body != "" {
				t.Fatalf("%s: forwarded %v, answered %d %s", target, got.forwarded != nil, got.StatusCode, got.body)
			}
			if all := fmt.Sprint(got.Header); first == "" {
				first = all
			} else if all != first {
				t.Errorf("%s is told apart by %s, not %s", target, all, first)
			}
			for name, want := range map[string]string{
				"Access-Control-Allow-Origin": app, "Access-Control-Allow-Headers": "authorization,X-Api-Key, if-match",
				"Access-Control-Allow-Methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", "Access-Control-Max-Age": "600",
				"Access-Control-Allow-Credentials": "", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			} {
				if v := got.Header.Get(name); v != want {
					t.Errorf("%s is %q, want %q", name, v, want)
				}
			}
			if vary := got.Header["Vary"]; !slices.Contains(vary, "Origin") || !slices.Contains(vary, "Access-Control-Request-Headers") {
				t.Errorf("it varies by %q", vary)
			}
		}
	}
	w.wantCounted()
	if len(w.attached) != 16 || w.user() != "" {
		t.Errorf("the server was told %d times, of %q", len(w.attached), w.user())
	}
}

func TestAPreflightNamesTheMethodsThatPass(t *testing.T) {
	w := appSite(t, func(c *gateway.Config) { c.Methods = []string{"PROPFIND"} })
	got := w.do(preflight("/x", fromApp, asksGet))
	if m := got.Header.Get("Access-Control-Allow-Methods"); !strings.HasSuffix(m, ", PROPFIND") {
		t.Errorf("methods are %q", m)
	}
}

// TestAFieldThatNoBrowserAsksForIsNotRepeated, nor a list without end.
func TestAFieldThatNoBrowserAsksForIsNotRepeated(t *testing.T) {
	w := appSite(t)
	for _, asked := range []string{"", "a;b", "a\tb", "a\"b", "a(b)", "ä", "a:b", strings.Repeat("a,", 513)} {
		got := w.do(preflight("/x", fromApp, asksGet, "Access-Control-Request-Headers: "+asked))
		if fields := got.Header["Access-Control-Allow-Headers"]; got.StatusCode != http.StatusNoContent || len(fields) != 1 || fields[0] != "" {
			t.Errorf("%.20q: answered %d with %q", asked, got.StatusCode, fields)
		}
	}
}

func TestEveryOtherPreflightIsRefusedAsAnyRequestWithoutACredential(t *testing.T) {
	for name, lines := range map[string][]string{
		"another origin":             {fromEvil, asksGet},
		"an origin of another port":  {fromApp + ":444", asksGet},
		"null":                       {"Origin: null", asksGet},
		"no origin":                  {asksGet},
		"two origins":                {fromApp, fromApp, asksGet},
		"no method that is asked":    {fromApp},
		"an empty method":            {fromApp, "Access-Control-Request-Method: "},
		"a proxy's word for the app": {"Origin: " + app + ", " + app, asksGet},
	} {
		t.Run(name, func(t *testing.T) {
			w := appSite(t)
			got := w.do(preflight("/x", lines...))
			wantRefused(t, got, http.StatusUnauthorized)
			if a := allowed(got); a != "" && !strings.HasPrefix(name, "no method") && !strings.HasPrefix(name, "an empty") {
				t.Errorf("allowed is %q", a)
			}
			if got.Header["Access-Control-Allow-Methods"] != nil {
				t.Errorf("answered with %v", got.Header)
			}
			w.wantReason(gateway.Refused, "no_credential")
		})
	}
}

func TestWithoutAnOriginInItsLoginsASiteKnowsNoCORS(t *testing.T) {
	for _, cfg := range []gateway.Config{
		{},
		{Logins: []gateway.Login{login(t, "management")}, Errors: gateway.Problem},
	} {
		w := newWorld(t, cfg)
		wantRefused(t, w.do(preflight("/x", fromApp, asksGet)), http.StatusUnauthorized)
		for _, line := range []string{asAnn, asNobody} {
			got := w.do(get("/x", fromApp, line))
			if got.Header["Vary"] != nil || allowed(got) != "" {
				t.Errorf("answered with %v", got.Header)
			}
		}
	}
}

func TestAnyOriginIsListedByAStar(t *testing.T) {
	w := appSite(t, func(c *gateway.Config) { c.Logins[1].Config.CORS = []string{"*"} })
	for _, r := range []*http.Request{
		preflight("/x", fromEvil, asksGet), preflight("/x", "Origin: null", asksGet), get("/x", fromEvil, asAnn), get("/x", fromEvil),
	} {
		got := w.do(r)
		if allowed(got) != "*" || slices.Contains(got.Header["Vary"], "Origin") || got.Header["Access-Control-Allow-Credentials"] != nil {
			t.Errorf("%s: answered with %v", r.Method, got.Header)
		}
	}
}

// TestAPreflightOfAPublicPathIsTheUpstreams, as is what it answers there.
func TestAPreflightOfAPublicPathIsTheUpstreams(t *testing.T) {
	w := appSite(t)
	for _, r := range []*http.Request{preflight("/docs/x", fromApp, asksGet), get("/docs/x", fromApp), get("/docs/x", fromApp, asAnn)} {
		got := w.do(r)
		if got.forwarded == nil || allowed(got) != "" {
			t.Errorf("%s: forwarded %v, answered with %v", r.Method, got.forwarded != nil, got.Header)
		}
	}
	asked := func(r *http.Request) (bool, error) { return dialect.IsPreflight(r), nil }
	w = appSite(t, func(c *gateway.Config) { c.Public = []gateway.Rule{{Match: asked}} })
	wantForwarded(t, w.do(preflight("/x", fromApp, asksGet)), "")
}

func TestAPreflightIsNoWayPast(t *testing.T) {
	w := appSite(t, func(c *gateway.Config) { c.Rate = rate(gateway.RateByAddress) })
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
	}{
		{"a path that reads two ways", preflight("/a/..;/x", fromApp, asksGet), http.StatusBadRequest},
		{"another method", request("TRACE", "/x", fromApp, asksGet), http.StatusMethodNotAllowed},
		{"a method in lower case", request("options", "/x", fromApp, asksGet), http.StatusMethodNotAllowed},
		{"a request that says it is one", get("/x", fromApp, asksGet), http.StatusUnauthorized},
	} {
		if got := w.do(c.r); got.forwarded != nil || got.StatusCode != c.status {
			t.Errorf("%s: forwarded %v, answered %d", c.name, got.forwarded != nil, got.StatusCode)
		}
	}
	last := result{}
	for range 10 {
		last = w.do(preflight("/x", fromApp, asksGet))
	}
	wantRefused(t, last, http.StatusTooManyRequests)
	if got := send(t, w.newSite(gateway.Config{Logins: []gateway.Login{login(t, "management", cors(app))}}), preflight("/x", fromApp, asksGet)); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before Bind: answered %d", got.StatusCode)
	}
}

func TestAnObserverAnswersNoPreflight(t *testing.T) {
	w := appSite(t, func(c *gateway.Config) { c.Observe = true })
	got := w.do(preflight("/x", fromApp, asksGet))
	wantForwarded(t, got, "")
	if allowed(got) != "" {
		t.Errorf("answered with %v", got.Header)
	}
	w.wantCounted()
}

// TestARefusalCanBeReadByTheScript of a listed origin, in every shape, and the
// answer says once that it varies.
func TestARefusalCanBeReadByTheScript(t *testing.T) {
	cfg := everyLogin(t)
	for i := range cfg.Logins {
		cfg.Logins[i].Config.CORS = []string{app}
	}
	for _, shape := range append([]string{gateway.Problem}, names(cfg)...) {
		t.Run(shape, func(t *testing.T) {
			cfg := cfg
			cfg.Errors = shape
			w := newWorld(t, cfg)
			for _, lines := range [][]string{{}, {asNobody}, {asAnn, asAnn}} {
				got := w.do(get("/x", append(lines, fromApp)...))
				if got.forwarded != nil || allowed(got) != app || strings.Count(fmt.Sprint(got.Header["Vary"]), "Origin") != 1 {
					t.Errorf("answered with %v", got.Header)
				}
				if e := got.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(e, "WWW-Authenticate") {
					t.Errorf("exposed is %q", e)
				}
				if got := w.do(get("/x", append(lines, fromEvil)...)); allowed(got) != "" {
					t.Errorf("another origin may read %v", got.Header)
				}
			}
		})
	}
}

func names(cfg gateway.Config) (list []string) {
	for _, l := range cfg.Logins {
		list = append(list, l.Kind.Name)
	}
	return list
}

// serve sends a request to the site, with an upstream that answers like this.
func serve(w *world, r *http.Request, upstream http.HandlerFunc) http.Header {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	must(w.t, w.site.ServeHTTP(recorder, r, func(rw http.ResponseWriter, r *http.Request) error { upstream(rw, r); return nil }))
	return recorder.Result().Header // as it was when it was sent
}

// TestAnAnswerOfTheUpstreamCanBeReadByTheScript, however it is written.
func TestAnAnswerOfTheUpstreamCanBeReadByTheScript(t *testing.T) {
	w := appSite(t)
	for name, upstream := range map[string]http.HandlerFunc{
		"with a status": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotFound) },
		"with a text":   func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("a")) },
		"with a file": func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(rw, io.LimitReader(strings.NewReader("a"), 1))
		},
		"with a flush":      func(rw http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(rw).Flush() },
		"with nothing":      func(http.ResponseWriter, *http.Request) {},
		"an upgrade":        func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusSwitchingProtocols) },
		"without an Origin": func(rw http.ResponseWriter, r *http.Request) { r.Header.Del("Origin"); rw.WriteHeader(200) },
		"with more to vary": func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Vary", "Accept"); rw.WriteHeader(200) },
	} {
		t.Run(name, func(t *testing.T) {
			got := serve(w, get("/x", fromApp, asAnn), upstream)
			if v := got["Access-Control-Allow-Origin"]; len(v) != 1 || v[0] != app || !slices.Contains(got["Vary"], "Origin") {
				t.Errorf("answered with %v", got)
			}
			got = serve(w, get("/x", fromEvil, asAnn), upstream)
			if got["Access-Control-Allow-Origin"] != nil {
				t.Errorf("another origin is answered with %v", got)
			}
		})
	}
}

// TestTheUpstreamsOwnWordStands: two values would be as good as none.
func TestTheUpstreamsOwnWordStands(t *testing.T) {
	w := appSite(t)
	for _, own := range []string{app, "*", "https://elsewhere.example"} {
		got := serve(w, get("/x", fromApp, asAnn), func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header()["Access-Control-Allow-Origin"] = []string{own}
			rw.WriteHeader(http.StatusOK)
		})
		if v := got["Access-Control-Allow-Origin"]; len(v) != 1 || v[0] != own || got["Access-Control-Expose-Headers"] != nil || got["Vary"] != nil {
			t.Errorf("answered with %v", got)
		}
	}
}

// informed notes the fields that go out with each status.
type informed struct {
	*httptest.ResponseRecorder
	sent []string
}

func (i *informed) WriteHeader(status int) {
	i.sent = append(i.sent, fmt.Sprint(status, " ", i.Header().Get("Access-Control-Allow-Origin")))
	i.ResponseRecorder.WriteHeader(status)
}

func TestAnInformationalAnswerIsNotTheAnswer(t *testing.T) {
	w := appSite(t)
	i := &informed{ResponseRecorder: httptest.NewRecorder()}
	must(t, w.site.ServeHTTP(i, get("/x", fromApp, asAnn), func(rw http.ResponseWriter, _ *http.Request) error {
		rw.WriteHeader(http.StatusEarlyHints)
		rw.WriteHeader(http.StatusOK)
		return nil
	}))
	if want := []string{"103 ", "200 " + app}; !slices.Equal(i.sent, want) {
		t.Errorf("sent %q, want %q", i.sent, want)
	}
}

// TestAnErrorOfTheUpstreamIsLeftToTheServer, which writes an answer of its own.
func TestAnErrorOfTheUpstreamIsLeftToTheServer(t *testing.T) {
	w := appSite(t)
	recorder, broken := httptest.NewRecorder(), errors.New("bad gateway")
	err := w.site.ServeHTTP(recorder, get("/x", fromApp, asAnn), func(http.ResponseWriter, *http.Request) error { return broken })
	if !errors.Is(err, broken) || len(recorder.Header()) != 0 {
		t.Errorf("got %v with %v", err, recorder.Header())
	}
}

func TestARequestThatIsNoScriptsGetsTheServersOwnWriter(t *testing.T) {
	w := appSite(t)
	for _, lines := range [][]string{{asAnn}, {asAnn, fromEvil}} {
		recorder := httptest.NewRecorder()
		must(t, w.site.ServeHTTP(recorder, get("/x", lines...), func(rw http.ResponseWriter, _ *http.Request) error {
			if rw != http.ResponseWriter(recorder) {
				t.Errorf("%q: the writer is another", lines)
			}
			return nil
		}))
	}
}

func TestAcceptChangesNothingAboutOrigins(t *testing.T) {
	w := appSite(t, func(c *gateway.Config) { c.Accept = []bearer.Spec{{Kind: auth.APIKey}} })
	got := w.do(preflight("/x", fromApp, asksGet, "Access-Control-Request-Headers: x-api-key"))
	if got.StatusCode != http.StatusNoContent {
		t.Errorf("answered %d", got.StatusCode)
	}
	got = w.do(get("/x", fromApp, withAnnKey))
	if wantForwarded(t, got, annID); allowed(got) != app {
		t.Errorf("answered with %v", got.Header)
	}
}
