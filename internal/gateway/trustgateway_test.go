package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
)

// TestAnAssertionOfAnotherGatewayCountsForItsOwnRequest alone, whether its
// verdict was cached or not.
func TestAnAssertionOfAnotherGatewayCountsForItsOwnRequest(t *testing.T) {
	asserting := gateway.Config{Assertion: &gateway.Assertion{Audience: []string{"orders"}}}
	first := newWorld(t, asserting)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RequestURI, r.URL.Path, r.Host = gateway.JWKSPath, gateway.JWKSPath, "api.example.com"
		_ = first.site.ServeHTTP(w, r, func(http.ResponseWriter, *http.Request) error { return nil })
	}))
	t.Cleanup(keys.Close)
	got := first.do(get("/orders/1?x=1", asAnn))
	if got.forwarded == nil {
		t.Fatalf("the first gateway refuses: %d", got.StatusCode)
	}
	assertion := "Authorization: Bearer " + got.forwarded.Header.Get(gateway.AssertionField)

	second := newWorld(t, gateway.Config{Trust: []issuer.Config{{
		URL: "gatehouse:" + realm, Audiences: []string{"orders"}, JWKS: keys.URL + gateway.JWKSPath,
	}}})
	for _, c := range []struct {
		name  string
		r     *http.Request
		count bool
	}{
		{"another path, before anything is cached", get("/orders/2", assertion), false},
		{"its own request", get("/orders/1?y=2", assertion), true},
		{"its own request again", get("/orders/1", assertion), true},
		{"another path", get("/orders/2", assertion), false},
		{"another spelling of the path", get("/orders/%31", assertion), false},
		{"another method", request(http.MethodDelete, "/orders/1", assertion), false},
		{"another host", onHost(get("/orders/1", assertion), "admin.example.com"), false},
		{"the host in capitals", onHost(get("/orders/1", assertion), "API.example.com"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			second.events, second.counted = nil, nil
			got := second.do(c.r)
			if c.count {
				if got.forwarded == nil || got.forwarded.Header.Get("X-Auth-Username") != "ann" {
					t.Errorf("answered %d", got.StatusCode)
				}
				return
			}
			wantRefused(t, got, http.StatusUnauthorized)
			second.wantReason(gateway.Refused, auth.ReasonAudience)
		})
	}
}

func onHost(r *http.Request, host string) *http.Request {
	r.Host = host
	return r
}
