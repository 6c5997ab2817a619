package gateway_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// guarded returns a world whose site has what a usual one has: a public path,
// a requirement, identity fields, a count and an attach hook that cost nothing
// themselves; and whose verdict of ann is cached.
func guarded(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, gateway.Config{
		Accept: []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}}, Public: docs,
		Require: []gateway.Requirement{{Rule: below("/admin/*"), Roles: []string{"admin"}}},
		Hooks: gateway.Hooks{
			Attach: func(*http.Request, *authn.Verdict) {}, Count: func(gateway.Outcome, auth.Reason) {},
			Audit: func(context.Context, auth.Event) {},
		},
	})
	for range 1000 {
		w.do(get("/x", asAnn))
		if w.rt.Resolver.Stats().Hits > 0 {
			return w
		}
	}
	t.Fatal("the verdict was never cached")
	return nil
}

// usualRequest makes the header of a request as a client in the field sends it,
// with some more fields of no interest.
func usualRequest(r *http.Request, h http.Header, more []string) {
	clear(h)
	h["Accept"], h["User-Agent"], h["Accept-Encoding"] = accept, agent, encoding
	h["Authorization"] = bearerOfAnn
	for _, name := range more {
		h[name] = accept
	}
	r.Header = h
}

var (
	accept, agent = []string{"application/json"}, []string{"curl/8.5.0"}
	encoding      = []string{"gzip, deflate, br"}
	bearerOfAnn   = []string{"Bearer " + annBearer}
)

func through(http.ResponseWriter, *http.Request) error { return nil }

// TestAGuardedRequestTakesAtMostFourAllocations more than the request takes
// without the guard, its header made anew each time: also where our fields
// make the header outgrow the room that it was made with.
func TestAGuardedRequestTakesAtMostFourAllocations(t *testing.T) {
	w := guarded(t)
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/orders/1"}, RequestURI: "/orders/1"}
	r = r.WithContext(w.ctx)
	for name, more := range map[string][]string{"a short header": nil, "a header that is full": {"A", "B", "C", "D"}} {
		without := testing.AllocsPerRun(1000, func() {
			usualRequest(r, make(http.Header, 8), more)
			_ = through(nil, r)
		})
		with := testing.AllocsPerRun(1000, func() {
			usualRequest(r, make(http.Header, 8), more)
			if err := w.site.ServeHTTP(nil, r, through); err != nil || r.Header["X-Auth-Subject"] == nil {
				t.Fatal("refused")
			}
		})
		t.Logf("%s: %v allocations, %v without the guard", name, with, without)
		if with-without > 4 {
			t.Errorf("%s: the guard adds %v allocations", name, with-without)
		}
	}
}

// BenchmarkGuardedRequest is a request whose verdict is cached, from the
// handler's entry to the next handler.
func BenchmarkGuardedRequest(b *testing.B) {
	w := guarded(b)
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/orders/1"}, RequestURI: "/orders/1"}
	r = r.WithContext(w.ctx)
	h := make(http.Header, 16)
	b.ReportAllocs()
	for b.Loop() {
		usualRequest(r, h, nil)
		if err := w.site.ServeHTTP(nil, r, through); err != nil || len(h["X-Auth-Subject"]) == 0 {
			b.Fatal("refused")
		}
	}
}

// BenchmarkUnguardedRequest is what the one above is held against.
func BenchmarkUnguardedRequest(b *testing.B) {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/orders/1"}, RequestURI: "/orders/1"}
	h := make(http.Header, 16)
	b.ReportAllocs()
	for b.Loop() {
		usualRequest(r, h, nil)
		_ = through(nil, r)
	}
}
