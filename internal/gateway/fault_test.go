package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// TestAPanicIsAFaultOfOursAndNeverAWayPast wherever it happens, and tells the
// caller nothing.
func TestAPanicIsAFaultOfOursAndNeverAWayPast(t *testing.T) {
	boom := "a corrupt row with " + annSecret
	for name, change := range map[string]func(*gateway.Config){
		"in a matcher of public": func(c *gateway.Config) {
			c.Public = []gateway.Rule{{Match: func(*http.Request) (bool, error) { panic(boom) }}}
		},
		"in a matcher of require": func(c *gateway.Config) {
			c.Require = []gateway.Requirement{{Rule: gateway.Rule{Match: func(*http.Request) (bool, error) { panic(boom) }}}}
		},
		"over the caller": func(c *gateway.Config) {
			c.Hooks.Attach = func(*http.Request, *authn.Verdict) { panic(boom) }
		},
		"over a template": func(c *gateway.Config) {
			c.Fields = []gateway.Field{{Name: "X-Own", Value: "{user}"}}
			c.Hooks.Expand = func(*http.Request, string) (string, error) { panic(boom) }
		},
		"over a tenant": func(c *gateway.Config) {
			c.Require = []gateway.Requirement{{Tenants: []string{"{user}"}}}
			c.Hooks.Expand = func(*http.Request, string) (string, error) { panic(boom) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := gateway.Config{}
			change(&cfg)
			w := newWorld(t, cfg)
			wantRefused(t, w.do(get("/x", asAnn)), http.StatusInternalServerError)
			w.wantReason(gateway.Refused, "internal")
		})
	}
}

func TestAPanicInALookupIsAFaultOfOurs(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: docs})
	w.rows.fault = func(context.Context) error { panic("a corrupt row") }
	for _, path := range []string{"/x", "/docs/x"} {
		wantRefused(t, w.do(get(path, asAnn)), http.StatusInternalServerError)
		w.wantReason(gateway.Refused, "internal")
	}
	w.rows.fault = nil
	wantForwarded(t, w.do(get("/x", asAnn)), annID)
}

// broken is a dialect with a fault of ours in it.
type broken struct{ base string }

func (b broken) Routes() []dialect.Route { return []dialect.Route{{Path: b.base}} }

func (broken) ServeHTTP(http.ResponseWriter, *http.Request) { panic("a nil claim") }

func (b broken) Refuse(w http.ResponseWriter, _ *http.Request, refusal dialect.Refusal) {
	w.Header().Set("Content-Type", "text/x-broken")
	w.WriteHeader(gateway.Status(refusal.Err))
	_, _ = w.Write([]byte("broken shape of " + b.base))
}

func brokenLogin(path string) gateway.Login {
	return gateway.Login{Config: dialect.Config{Base: path}, Kind: dialect.Kind{
		Name: "broken", Base: path,
		Credentials: func(dialect.Config) []bearer.Spec { return []bearer.Spec{{Kind: auth.Bearer}} },
		New: func(c dialect.Config, _ *session.Service) (dialect.Dialect, error) {
			return broken{c.Base}, nil
		},
	}}
}

func TestAPanicInADialectIsAnsweredInItsShape(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{brokenLogin("/broken")}, Errors: gateway.Problem})
	got := w.do(request(http.MethodPost, "/broken/login"))
	wantRefused(t, got, http.StatusInternalServerError)
	if got.body != "broken shape of /broken" {
		t.Errorf("answered %q", got.body)
	}
	w.wantReason(gateway.Refused, "internal")
}

// TestNothingIsAnsweredBeforeTheStoreIsOpen but that it will be: never 401,
// never forwarded, public or not.
func TestNothingIsAnsweredBeforeTheStoreIsOpen(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	w.site = w.newSite(gateway.Config{Public: docs, Logins: []gateway.Login{brokenLogin("/broken"), login(t, "management")}})
	for path, shape := range map[string]string{
		"/x": "application/problem+json", "/docs/x": "application/problem+json",
		"/broken/login": "text/x-broken", "/v1/auth/login": "application/json; charset=utf-8",
	} {
		got := w.do(request(http.MethodPost, path, asAnn))
		wantRefused(t, got, http.StatusServiceUnavailable)
		if got.Header.Get("Content-Type") != shape || got.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: answered with %v", path, got.Header)
		}
		if shape != "text/x-broken" && got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
		w.wantReason(gateway.Refused, auth.ReasonStarting)
	}
	w.site.Bind(w.rt)
	wantForwarded(t, w.do(get("/x", asAnn)), annID)
}

func TestASiteStaysWithTheRuntimeItWasBoundToFirst(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	other := newWorld(t, gateway.Config{})
	w.site.Bind(other.rt)
	misses := other.rt.Resolver.Stats().Misses
	wantForwarded(t, w.do(get("/x", asAnn)), annID)
	if other.rt.Resolver.Stats().Misses != misses {
		t.Error("the other runtime was asked")
	}
}

func TestAGuardWithoutHooksStillGuards(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	site, err := gateway.New(gateway.Config{Accept: []bearer.Spec{{Kind: auth.Bearer}}, Rate: rate(gateway.RateByAddress)})
	must(t, err)
	site.Bind(w.rt)
	wantForwarded(t, send(t, site, get("/x", asAnn)), annID)
	wantRefused(t, send(t, site, get("/x", asNobody)), http.StatusUnauthorized)
	wantRefused(t, send(t, site, get("/x", asAnn)), http.StatusTooManyRequests)
}

// TestACallerWhoLeavesIsNoBadCredential: the lookup goes on, the answer is
// that it took too long.
func TestACallerWhoLeavesIsNoBadCredential(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	ctx, leave := context.WithCancel(w.ctx)
	entered, held := make(chan struct{}), make(chan struct{})
	w.rows.fault = func(context.Context) error {
		close(entered)
		<-held
		return nil
	}
	answered := make(chan result)
	go func() { answered <- w.do(get("/x", asAnn).WithContext(ctx)) }()
	<-entered
	leave()
	wantRefused(t, <-answered, http.StatusServiceUnavailable)
	close(held)
	w.wantReason(gateway.Refused, auth.ReasonTimeout)
}

func TestAnAddressIsAskedForOncePerNeedAndNeverTrustedFromHeaders(t *testing.T) {
	var asked int
	w := newWorld(t, gateway.Config{Rate: rate(gateway.RateByAddress), Hooks: gateway.Hooks{Address: func(r *http.Request) netip.Addr {
		asked++
		return address(r)
	}}})
	r := from("192.0.2.9:1", get("/x", asAnn, "X-Forwarded-For: 10.0.0.1", "X-Real-Ip: 10.0.0.1", "Forwarded: for=10.0.0.1"))
	wantForwarded(t, w.do(r), annID)
	if asked != 1 {
		t.Errorf("the address was asked for %d times", asked)
	}
	recorder := httptest.NewRecorder()
	must(t, w.site.ServeHTTP(recorder, get("/x", "X-Forwarded-For: 10.0.0.1"), nil))
	if e := w.refusals()[0]; !strings.HasPrefix(e.Address.String(), "192.0.2.") {
		t.Errorf("audited was %v", e.Address)
	}
}
