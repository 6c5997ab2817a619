package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestACallOfADialectHasABudgetAndALookupNone: who logs out waits for the store
// so long in all; the lookup of the token is for all who present it.
func TestACallOfADialectHasABudgetAndALookupNone(t *testing.T) {
	w := newWorld(t, everyLogin(t))
	var lookups int
	var left []time.Duration
	w.rows.fault = func(ctx context.Context) error {
		d, bounded := store.Budget(ctx)
		if bounded {
			left = append(left, d)
		} else {
			lookups++
		}
		return nil
	}
	for _, r := range []*http.Request{get("/v1/auth/user", asAnn), post("/v1/auth/logout", "{}", asAnn)} {
		if got := w.do(r); got.StatusCode != http.StatusOK {
			t.Fatalf("%s is answered %d", r.URL.Path, got.StatusCode)
		}
	}
	if lookups != 1 || len(left) != 1 || left[0] <= 0 || left[0] > gateway.DefaultStoreTime {
		t.Errorf("%d look-ups, and calls with %v left", lookups, left)
	}
}
