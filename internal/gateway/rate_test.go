package gateway_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

func rate(by gateway.RateKey) *gateway.Rate {
	return &gateway.Rate{Limit: throttle.Limit{Events: 2, Window: time.Minute}, By: by}
}

func from(addr string, r *http.Request) *http.Request {
	r.RemoteAddr = addr
	return r
}

// TestRequestsAreCountedForWhatTheyAreCountedFor: two of a kind pass, the third
// does not, and one of another kind does.
func TestRequestsAreCountedForWhatTheyAreCountedFor(t *testing.T) {
	const here, there = "192.0.2.1:1", "192.0.2.2:1"
	for _, c := range []struct {
		name        string
		by          gateway.RateKey
		same, other *http.Request
	}{
		{"a token", gateway.RateByCredential, get("/x", asAnn), get("/x", withAnnKey)},
		{"a key", gateway.RateByCredential, get("/x", withAnnKey), get("/x", withBobKey)},
		{"a credential where nothing is said", "", get("/x", asAnn), get("/x", withAnnKey)},
		{"a subject", gateway.RateBySubject, get("/x", asAnn), get("/x", asBob)},
		{"an address", gateway.RateByAddress, from(here, get("/x", asAnn)), from(there, get("/x", asAnn))},
		{"the address of an anonymous request", gateway.RateByCredential, from(here, get("/docs/x")), from(there, get("/docs/x"))},
		{"the same by subject", gateway.RateBySubject, from(here, get("/docs/x")), from(here, get("/docs/x", asAnn))},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Public: docs, Rate: rate(c.by)})
			for range 2 {
				if got := w.do(c.same.Clone(w.ctx)); got.forwarded == nil {
					t.Fatalf("refused with %d", got.StatusCode)
				}
			}
			w.counted = nil
			got := w.do(c.same.Clone(w.ctx))
			wantRefused(t, got, http.StatusTooManyRequests)
			after, err := strconv.Atoi(got.Header.Get("Retry-After"))
			if err != nil || after < 30 || after > 60 {
				t.Errorf("Retry-After is %q", got.Header.Get("Retry-After"))
			}
			w.wantReason(gateway.Refused, auth.ReasonRate)
			if got := w.do(c.other.Clone(w.ctx)); got.forwarded == nil {
				t.Errorf("another kind was refused with %d", got.StatusCode)
			}
			w.clock.Store(int64(time.Minute))
			if got := w.do(c.same.Clone(w.ctx)); got.forwarded == nil {
				t.Errorf("refused with %d after the window", got.StatusCode)
			}
		})
	}
}

func TestACallersLimitHoldsForAllItsCredentialsTogether(t *testing.T) {
	w := newWorld(t, gateway.Config{Rate: rate(gateway.RateBySubject)})
	wantForwarded(t, w.do(get("/x", asAnn)), annID)
	wantForwarded(t, w.do(get("/x", withAnnKey)), annID)
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusTooManyRequests)
}

func TestTokensOfOneCallerAreCountedApart(t *testing.T) {
	w := newWorld(t, gateway.Config{Rate: rate(gateway.RateByCredential)})
	w.addSession("another-token-of-ann", store.Session{ID: "another", Subject: annID})
	for range 2 {
		wantForwarded(t, w.do(get("/x", asAnn)), annID)
	}
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusTooManyRequests)
	wantForwarded(t, w.do(get("/x", "Authorization: Bearer another-token-of-ann")), annID)
}

// TestALimitByAddressIsHeldBeforeAnythingIsLookedUp: it is for those who have
// no good credential.
func TestALimitByAddressIsHeldBeforeAnythingIsLookedUp(t *testing.T) {
	w := newWorld(t, gateway.Config{Rate: rate(gateway.RateByAddress)})
	for range 2 {
		wantRefused(t, w.do(get("/x", asNobody)), http.StatusUnauthorized)
	}
	misses := w.rt.Resolver.Stats().Misses
	wantRefused(t, w.do(get("/x", asNobody)), http.StatusTooManyRequests)
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusTooManyRequests)
	if w.rt.Resolver.Stats().Misses != misses {
		t.Error("a credential was looked up past the limit")
	}
}

func TestWhatIsRefusedForOtherReasonsUsesUpNoLimitOfTheCaller(t *testing.T) {
	w := newWorld(t, gateway.Config{
		Rate:    rate(gateway.RateByCredential),
		Require: []gateway.Requirement{{Rule: below("/admin/*"), Roles: []string{"admin"}}},
	})
	for range 5 {
		wantRefused(t, w.do(get("/admin/x", asAnn)), http.StatusForbidden)
		wantRefused(t, w.do(get("/x", asNobody)), http.StatusUnauthorized)
	}
	wantForwarded(t, w.do(get("/x", asAnn)), annID)
}

func TestSitesOfOneRealmAndLimitShareACount(t *testing.T) {
	w := newWorld(t, gateway.Config{Rate: rate(gateway.RateBySubject)})
	second := w.newSite(gateway.Config{Rate: rate(gateway.RateBySubject)})
	second.Bind(w.rt)
	wantForwarded(t, w.do(get("/x", asAnn)), annID)
	wantForwarded(t, send(t, second, get("/x", asAnn)), annID)
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusTooManyRequests)
	wantRefused(t, send(t, second, get("/x", asAnn)), http.StatusTooManyRequests)
}
