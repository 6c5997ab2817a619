package gateway_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
)

// cutFeed is a feed that can be out of reach, as a whole or only to follow.
type cutFeed struct {
	store.Changes
	gone, silent atomic.Bool
}

var errCut = auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("out of reach"))

func (f *cutFeed) Latest(ctx context.Context) (int64, error) {
	if f.gone.Load() {
		return 0, errCut
	}
	return f.Changes.Latest(ctx)
}

func (f *cutFeed) Since(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if f.gone.Load() || f.silent.Load() {
		return nil, errCut
	}
	return f.Changes.Since(ctx, after, limit)
}

func TestHealthSaysWhetherRequestsShouldComeHere(t *testing.T) {
	const grace = 10 * time.Second
	for _, c := range []struct {
		name         string
		gone, silent bool
		keys         bool
		after        time.Duration
		want         gateway.Condition
	}{
		{"all is well", false, false, false, time.Minute, gateway.Healthy},
		{"a feed that cannot be followed costs the cache only", false, true, false, time.Hour, gateway.Degraded},
		{"what is known counts while the cache is trusted", true, true, false, 2 * time.Second, gateway.Degraded},
		{"and while the grace lasts", true, true, false, authn.DefaultMaxStaleness + grace - 2*time.Second, gateway.Degraded},
		{"then nobody is let in", true, true, false, authn.DefaultMaxStaleness + grace + time.Second, gateway.Down},
		{"but those with a key, which is no session", true, true, true, time.Hour, gateway.Degraded},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rows := memstore.New(time.Now)
				feed := &cutFeed{Changes: rows.Changes}
				rows.SessionChanges = feed
				rt := gateway.NewRuntime(gateway.RuntimeConfig{Store: rows, Now: time.Now, Grace: grace})
				defer func() { must(t, rt.Close()) }()
				synctest.Wait()
				feed.gone.Store(c.gone)
				feed.silent.Store(c.silent)
				<-time.After(c.after)
				h := rt.Health(t.Context(), c.keys)
				if h.Condition != c.want || (h.Err != nil) != c.gone || h.Apart != c.gone || len(h.Feeds) != 2 {
					t.Errorf("got %+v, want %s", h, c.want)
				}
				if h.Feeds[0].Broken || h.Feeds[0].Silent > 2*time.Second || h.Feeds[1].Broken != c.silent {
					t.Errorf("got %+v", h.Feeds)
				}
			})
		})
	}
}
