package gateway_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// everyLogin is a site with every dialect at its own base path.
func everyLogin(t testing.TB) gateway.Config {
	t.Helper()
	var cfg gateway.Config
	for _, name := range table.Names() {
		l := login(t, name)
		if name == "login_token" { // it has paths beside its own, which are others' here
			l.Config.Base = "/feathers" + l.Config.Base
		}
		cfg.Logins = append(cfg.Logins, l)
	}
	return cfg
}

// wantAnswered fails the test unless the site itself answered with this status.
func wantAnswered(t testing.TB, got result, status int) {
	t.Helper()
	if got.forwarded != nil || got.StatusCode != status || got.err != nil {
		t.Fatalf("forwarded %v, answered %d (%v), want %d: %s", got.forwarded != nil, got.StatusCode, got.err, status, got.body)
	}
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer may be cached: %v", got.Header)
	}
}

// logIn returns the token of a login in one of the dialects.
func (w *world) logIn(name string) string {
	w.t.Helper()
	got := w.do(callsOf(w.t, name).login())
	status := http.StatusOK
	if got.StatusCode == http.StatusCreated { // which some say
		status = http.StatusCreated
	}
	wantAnswered(w.t, got, status)
	var answer map[string]any
	must(w.t, json.Unmarshal([]byte(got.body), &answer))
	if data, ok := answer["data"].(map[string]any); ok {
		answer = data
	}
	for _, member := range []string{"token", "Token", "authenticationToken", "access_token", "accessToken"} {
		if text, ok := answer[member].(string); ok {
			return text
		}
	}
	w.t.Fatalf("no token in %s", got.body)
	return ""
}

func TestALoginIsAnsweredHereAndItsTokenIsGoodAtOnce(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	for _, name := range table.Names() {
		token := w.logIn(name)
		e := w.events[len(w.events)-1]
		if e.Kind != auth.LoginEvent || !e.OK || e.Subject != annID || e.Dialect != name || e.Address.String() != "192.0.2.1" {
			t.Errorf("%s: audited was %+v", name, e)
		}
		got := w.do(callsOf(t, name).guarded(token))
		wantForwarded(t, got, annID)
		if strings.Contains(strings.ToLower(wire(t, got.forwarded)), strings.ToLower(token)) {
			t.Errorf("%s: the upstream was sent the token", name)
		}
	}
	if n := len(w.events); n != len(table.Names()) {
		t.Errorf("%d events", n)
	}
}

func TestALogoutIsEffectiveFromTheNextRequest(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	line := "Authorization: Bearer " + w.logIn("management")
	for range 2 {
		wantForwarded(t, w.do(get("/x", line)), annID)
	}
	for range 2 {
		wantAnswered(t, w.do(request(http.MethodPost, "/v1/auth/logout", line)), http.StatusOK)
		wantRefused(t, w.do(get("/x", line)), http.StatusUnauthorized)
	}
}

// TestALoginCallIsNotGuarded by what the site asks of all others.
func TestALoginCallIsNotGuarded(t *testing.T) {
	cfg := everyLogin(t)
	cfg.Require = []gateway.Requirement{{Roles: []string{"admin"}}}
	cfg.Rate = rate(gateway.RateByAddress)
	w := newWorld(t, cfg)
	for range 3 {
		for _, name := range table.Names() {
			w.logIn(name)
		}
	}
	if len(w.refusals()) != 0 || len(w.counted) != 0 {
		t.Errorf("audited %+v, counted %q", w.refusals(), w.counted)
	}
	for _, v := range w.attached {
		if v != nil {
			t.Error("the server was told of a caller")
		}
	}
}

// TestWhatIsBelowALoginIsNeverForwarded, with a credential or without.
func TestWhatIsBelowALoginIsNeverForwarded(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	for _, target := range []string{"/v1/auth", "/v1/auth/", "/v1/auth/other", "/V1/AUTH/login", "/login", "/LOGIN", "/login/other"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, "TRACE", "get"} {
			if got := w.do(request(method, target, asAnn)); got.forwarded != nil || got.StatusCode < 400 {
				t.Errorf("%s %s: forwarded %v, answered %d", method, target, got.forwarded != nil, got.StatusCode)
			}
		}
	}
	wantForwarded(t, w.do(get("/v1/authority", asAnn)), annID)
	wantForwarded(t, w.do(get("/loginx", asAnn)), annID)
}

// TestNoDialectLogsInFromEarlyData, which whoever recorded it can send again
// (RFC 8470 section 5.1): each refuses it in its own shape.
func TestNoDialectLogsInFromEarlyData(t *testing.T) {
	for _, name := range table.Names() {
		t.Run(name, func(t *testing.T) {
			call := callsOf(t, name).login
			w := newWorld(t, everyLogin(t))
			early := call()
			early.TLS = &tls.ConnectionState{HandshakeComplete: false}
			for how, r := range map[string]*http.Request{"a proxy says so": call("Early-Data: 1"), "the handshake is not over": early} {
				got := w.do(r)
				wantAnswered(t, got, http.StatusTooEarly)
				if got.body == "" || strings.Contains(got.body, "about:blank") {
					t.Errorf("%s: answered %q", how, got.body)
				}
			}
			for _, e := range w.events {
				if e.Kind != auth.RefusalEvent || e.Reason != auth.ReasonEarlyData {
					t.Errorf("a login was tried: %+v", e)
				}
			}
			if len(w.events) != 2 {
				t.Errorf("%d refusals were audited", len(w.events))
			}
			w.logIn(name)
		})
	}
}

func TestSpellingsOfOneNameShareTheCounterOfAllDialects(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	for _, name := range []string{"ann", "ANN", "Ann"} {
		wantAnswered(t, w.do(post("/v1/auth/login", `{"username":"`+name+`","password":"wrong"}`)), http.StatusUnauthorized)
	}
	for _, name := range []string{"aNN", "anN"} {
		wantAnswered(t, w.do(post("/login", `{"UserLogin":"`+name+`","ApiKey":"wrong"}`)), http.StatusUnauthorized)
	}
	got := w.do(dialectCalls["management"].login())
	wantAnswered(t, got, http.StatusTooManyRequests)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	got = w.do(dialectCalls["timed_login"].login())
	wantAnswered(t, got, http.StatusUnauthorized)
	if !strings.Contains(got.body, "1008") || got.Header.Get("Retry-After") == "" {
		t.Errorf("answered %s with %v", got.body, got.Header)
	}
}

func TestABlocksLimitOfAttemptsIsItsOwn(t *testing.T) {
	strict := login(t, "management")
	strict.Attempts = throttle.Limit{Events: 1, Window: time.Hour}
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{strict}})
	wantAnswered(t, w.do(post("/v1/auth/login", `{"username":"ann","password":"wrong"}`)), http.StatusUnauthorized)
	wantAnswered(t, w.do(dialectCalls["management"].login()), http.StatusTooManyRequests)
}

// careless is a dialect that sets no fields of its own.
type careless struct{ broken }

func (careless) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a token")) }

func TestNoAnswerToALoginIsCachedOrSniffedWhateverItsDialectSays(t *testing.T) {
	l := brokenLogin("/careless")
	l.Kind.New = func(dialect.Config, *session.Service) (dialect.Dialect, error) {
		return careless{broken{"/careless"}}, nil
	}
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{l}})
	got := w.do(request(http.MethodPost, "/careless"))
	wantAnswered(t, got, http.StatusOK)
	if got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("answered with %v", got.Header)
	}
}

func TestTwoLoginsOnOneRouteAreAnErrorThatNamesBoth(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second gateway.Login
		ok            bool
	}{
		{"the same path", login(t, "management", base("/api")), login(t, "timed_login", base("/api")), false},
		{"another case of it", login(t, "management", base("/api")), login(t, "timed_login", base("/API")), false},
		{"one below the other", login(t, "management", base("/api")), login(t, "timed_login", base("/api/login")), false},
		{"one above the other", login(t, "management", base("/api/v1")), login(t, "timed_login", base("/Api")), false},
		{"the same dialect twice", login(t, "management", base("/api")), login(t, "management", base("/api")), false},
		{"neighbours", login(t, "management", base("/api")), login(t, "timed_login", base("/apix")), true},
		{"the same dialect at two paths", login(t, "management", base("/a")), login(t, "management", base("/b")), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := gateway.New(gateway.Config{Logins: []gateway.Login{c.first, c.second}})
			if c.ok {
				must(t, err)
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, l := range []gateway.Login{c.first, c.second} {
				if !strings.Contains(err.Error(), "login "+l.Kind.Name+" "+l.Config.Base) {
					t.Errorf("%v does not name login %s %s", err, l.Kind.Name, l.Config.Base)
				}
			}
		})
	}
}

func TestABlocksOptionsReachItsTokens(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "management", func(c *dialect.Config) { c.Format = "jwt" })}})
	token := w.logIn("management")
	if strings.Count(token, ".") != 2 {
		t.Fatalf("%d parts", strings.Count(token, ".")+1)
	}
	wantForwarded(t, w.do(get("/x", "Authorization: Bearer "+token)), annID)
	forged := token[:len(token)-2] + "AA"
	wantRefused(t, w.do(get("/x", "Authorization: Bearer "+forged)), http.StatusUnauthorized)
}

// TestATimedTokenThatExpiredIsToldApart for as long as its block remembers it.
func TestATimedTokenThatExpiredIsToldApart(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "timed_login")}})
	token := w.logIn("timed_login")
	wantForwarded(t, w.do(get("/x?Token="+token)), annID)
	w.clock.Store(int64(21e9))
	got := w.do(get("/x?Token=" + token))
	wantRefused(t, got, http.StatusUnauthorized)
	if !strings.Contains(got.body, "1001") {
		t.Errorf("answered %s", got.body)
	}
}

// TestATokenInAPathIsNotAudited.
func TestATokenInAPathIsNotAudited(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	const token = "0123456789abcdef0123456789abcdef"
	for _, r := range []*http.Request{
		request(http.MethodHead, "/feathers/login/"+token),
		request(http.MethodGet, "/feathers/login/"+token, "Early-Data: 1"),
		request(http.MethodGet, "/feathers/login/"+token),
		request(http.MethodDelete, "/feathers/authentication/"+token+".a.b", asAnn),
	} {
		w.do(r)
	}
	if len(w.events) != 4 {
		t.Errorf("%d events", len(w.events))
	}
	for _, e := range w.events {
		if strings.Contains(e.Path, token) {
			t.Errorf("audited was %s %s", e.Method, e.Path)
		}
	}
}
