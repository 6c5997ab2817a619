package gateway_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// explained sends a request to a site of its own that explains itself.
func (w *world) explained(cfg gateway.Config, r *http.Request) (*gateway.Explainer, result) {
	w.t.Helper()
	site := w.newSite(cfg)
	x := gateway.NewExplainer(gateway.RuntimeConfig{Store: w.store, Ring: w.rt.Ring, Now: w.now})
	w.t.Cleanup(x.Close)
	x.Bind(site)
	got := send(w.t, site, r)
	for _, secret := range append(planted, "planted") {
		if strings.Contains(fmt.Sprintf("%+v", x.Steps()), secret) {
			w.t.Errorf("a step holds %s: %+v", secret, x.Steps())
		}
	}
	return x, got
}

// stages lists the steps as "stage outcome".
func stages(x *gateway.Explainer) []string {
	var list []string
	for _, s := range x.Steps() {
		list = append(list, string(s.Stage)+" "+string(s.Outcome))
	}
	return list
}

func ruled() gateway.Config {
	return gateway.Config{
		Accept: []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}, {Kind: auth.Query, Name: "Token"}},
		Public: []gateway.Rule{{Paths: []string{"/docs/*"}}},
		Require: []gateway.Requirement{
			{Rule: below("/admin/*"), Roles: []string{"admin"}},
			{Rule: below("/tenants/*"), Tenants: []string{"{path.1}"}},
			{Rule: below("/users/*"), Subjects: []string{"{path.1}"}},
		},
	}
}

// TestAnExplanationIsWhatTheGuardDoes: the same answer, the same reason.
func TestAnExplanationIsWhatTheGuardDoes(t *testing.T) {
	w := newWorld(t, ruled())
	w.addKey("planted-key-that-was-revoked", store.Key{Account: annID, Revoked: w.now()})
	w.addKey("planted-key-of-elsewhere", store.Key{Account: annID, Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	for name, r := range map[string]func() *http.Request{
		"a good token":                  func() *http.Request { return get("/x", asAnn) },
		"a good key":                    func() *http.Request { return get("/x", withAnnKey) },
		"a token in the query":          func() *http.Request { return get("/x?Token=" + annBearer) },
		"one in the query without TLS":  func() *http.Request { r := get("/x?Token=" + annBearer); r.TLS = nil; return r },
		"nothing":                       func() *http.Request { return get("/x") },
		"an unknown token":              func() *http.Request { return get("/x", asNobody) },
		"a revoked key":                 func() *http.Request { return get("/x", "X-Api-Key: planted-key-that-was-revoked") },
		"a key of another address":      func() *http.Request { return get("/x", "X-Api-Key: planted-key-of-elsewhere") },
		"a token of no form":            func() *http.Request { return get("/x", formlessKey) },
		"two tokens":                    func() *http.Request { return get("/x", asAnn, asBob) },
		"two callers":                   func() *http.Request { return get("/x", asAnn, withBobKey) },
		"one caller twice":              func() *http.Request { return get("/x", asAnn, withAnnKey) },
		"a bad one beside a good one":   func() *http.Request { return get("/x", asAnn, withBadKey) },
		"a public path":                 func() *http.Request { return get("/docs/x") },
		"a public path and a bad token": func() *http.Request { return get("/docs/x", asNobody) },
		"a role that is not there":      func() *http.Request { return get("/admin/x", asAnn) },
		"a tenant":                      func() *http.Request { return get("/tenants/t-1", asAnn) },
		"another tenant":                func() *http.Request { return get("/tenants/t-2", asAnn) },
		"a subject":                     func() *http.Request { return get("/users/"+annID, asAnn) },
		"another subject":               func() *http.Request { return get("/users/"+annID, asBob) },
		"a path of two readings":        func() *http.Request { return get("/docs//x", asAnn) },
		"a method that is not served":   func() *http.Request { return request("TRACE", "/x", asAnn) },
	} {
		t.Run(name, func(t *testing.T) {
			w.events, w.counted = nil, nil
			served := w.do(r())
			events := w.refusals()
			w.events, w.counted = nil, nil
			x, got := w.explained(ruled(), r())
			if got.StatusCode != served.StatusCode || got.body != served.body || (got.forwarded == nil) != (served.forwarded == nil) {
				t.Errorf("explained %d %s, served %d %s", got.StatusCode, got.body, served.StatusCode, served.body)
			}
			if len(w.events) != 0 || len(w.counted) != 0 {
				t.Errorf("an explanation was audited or counted: %v %v", w.events, w.counted)
			}
			d := x.Decision()
			switch {
			case d == nil:
				t.Fatalf("nothing was decided: %v", stages(x))
			case served.forwarded != nil && d.Err != nil, served.forwarded == nil && d.Err == nil:
				t.Errorf("the decision is %+v", d)
			case d.Err != nil && (len(events) != 1 || events[0].Code != d.Err.Code):
				t.Errorf("the decision is %v, audited was %+v", d.Err, events)
			}
		})
	}
}

func TestTheStepsOfADecision(t *testing.T) {
	w := newWorld(t, ruled())
	for name, c := range map[string]struct {
		r    *http.Request
		want []string
	}{
		"a token that passes": {get("/tenants/t-1", asAnn), []string{
			"path ok", "public skipped", "credential ok", "cache skipped", "store ok", "store ok", "store ok", "store ok",
			"verdict ok", "require skipped", "require ok", "require skipped", "identity ok",
		}},
		"a token that nobody knows": {get("/x", asNobody), []string{
			"path ok", "public skipped", "credential ok", "cache skipped", "store skipped", "verdict refused", "answer refused",
		}},
		"nothing on a public path": {get("/docs/x"), []string{
			"path ok", "public ok", "credential skipped", "public ok", "require skipped", "require skipped", "require skipped", "identity ok",
		}},
		"a path of two readings": {get("//x", asAnn), []string{"path refused", "answer refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			x, _ := w.explained(ruled(), c.r)
			if got := stages(x); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestAnExplanationChangesNothing: no use is noted, no limit is reached, and
// what the running gateway has in its cache stays what it was.
func TestAnExplanationChangesNothing(t *testing.T) {
	cfg := ruled()
	cfg.Rate = &gateway.Rate{Limit: throttle.Limit{Events: 1, Window: time.Hour}, By: gateway.RateByCredential}
	cfg.Assertion = &gateway.Assertion{Audience: []string{"orders"}}
	w := newWorld(t, cfg)
	w.addSession("planted-idle-token", store.Session{ID: "idle-1", Subject: annID, Idle: time.Minute})
	before := w.rt.Resolver.Stats()
	w.clock.Store(int64(30 * time.Second))
	for range 3 {
		_, got := w.explained(cfg, get("/x", "Authorization: Bearer planted-idle-token"))
		wantForwarded(t, got, annID)
		_, got = w.explained(cfg, get("/x", withAnnKey))
		wantForwarded(t, got, annID)
	}
	s, err := w.store.Sessions.Session(w.ctx, realm, store.SessionRef{ID: "idle-1"})
	must(t, err)
	if !s.Updated.Equal(s.Issued) {
		t.Errorf("the token counts as used at %v, issued %v", s.Updated, s.Issued)
	}
	k, err := w.store.Keys.KeyByDigest(w.ctx, realm, auth.DigestOf(annKey))
	must(t, err)
	if !k.LastUsed.IsZero() {
		t.Errorf("the key counts as used at %v", k.LastUsed)
	}
	if after := w.rt.Resolver.Stats(); after != before {
		t.Errorf("the resolver of the running gateway counted %+v, before %+v", after, before)
	}
	if keys, err := w.store.SigningKeys.SigningKeys(w.ctx); err != nil || len(keys) > 0 {
		t.Errorf("%d signing keys were made: %v", len(keys), err)
	}
	wantForwarded(t, w.do(get("/x", withAnnKey)), annID) // the one that the limit allows
}

// TestALoginIsNotCarriedOut: it would count a failure, or make a session.
func TestALoginIsNotCarriedOut(t *testing.T) {
	cfg := gateway.Config{Logins: []gateway.Login{login(t, "management")}}
	w := newWorld(t, cfg)
	body := strings.NewReader(`{"username":"ann","password":"` + annSecret + `"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.example.com/v1/auth/login", body)
	must(t, err)
	r.RequestURI = "/v1/auth/login"
	x, got := w.explained(cfg, with(r, "Content-Type: application/json"))
	if got.body != "" || got.forwarded != nil {
		t.Errorf("answered %d %s", got.StatusCode, got.body)
	}
	if d := x.Decision(); d == nil || d.Login != "management" {
		t.Errorf("the decision is %+v", d)
	}
	if got := stages(x); !slices.Equal(got, []string{"path ok", "login answers"}) {
		t.Errorf("the steps are %q", got)
	}
	if body.Len() == 0 {
		t.Error("the body was read")
	}
}

func TestWhatObserveWouldRefuseIsExplainedAndForwarded(t *testing.T) {
	cfg := ruled()
	cfg.Observe = true
	w := newWorld(t, cfg)
	x, got := w.explained(cfg, get("/admin/x", asAnn))
	if got.forwarded == nil {
		t.Error("it was refused")
	}
	if d := x.Decision(); d == nil || d.Outcome != gateway.Observed || d.Err == nil || d.Err.Reason != auth.ReasonRole {
		t.Errorf("the decision is %+v", d)
	}
}

func TestAStoreOutOfReachIsToldAsThat(t *testing.T) {
	w := newWorld(t, ruled())
	w.rows.fault = down
	x, got := w.explained(ruled(), get("/x", asAnn))
	wantRefused(t, got, http.StatusServiceUnavailable)
	if !slices.Contains(stages(x), "store refused") {
		t.Errorf("the steps are %q", stages(x))
	}
}
