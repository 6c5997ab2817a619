package authn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// slowStore takes its time for each look-up. It listens to no context, as a
// disk does.
type slowStore struct {
	store.Sessions
	store.Accounts
	takes time.Duration
}

func (s *slowStore) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	<-time.After(s.takes)
	return s.Sessions.Session(ctx, realm, by)
}

func (s *slowStore) Account(ctx context.Context, realm, ref string) (store.Account, error) {
	<-time.After(s.takes)
	return s.Accounts.Account(ctx, realm, ref)
}

func TestNobodyWaitsLongerThanTheTimeoutForALookup(t *testing.T) {
	const timeout = 250 * time.Millisecond
	for _, c := range []struct {
		name          string
		timeout, slow time.Duration
		// budget is of the caller, 0 for none.
		budget time.Duration
		passes bool
		takes  time.Duration
	}{
		{"a store that is slow and answers is waited for", 0, 400 * time.Millisecond, 0, true, 800 * time.Millisecond},
		{"no longer than a second where nothing else is said", 0, time.Minute, 0, false, authn.DefaultLookupTimeout},
		{"nor than it is said", timeout, time.Minute, 0, false, timeout},
		{"nor than the caller may wait", 0, time.Minute, 100 * time.Millisecond, false, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := &slowStore{takes: c.slow}
				w := newWorld(t, func(cfg *authn.Config) {
					cfg.LookupTimeout = c.timeout
					slow.Sessions, slow.Accounts = cfg.Store.Sessions, cfg.Store.Accounts
					cfg.Store.Sessions, cfg.Store.Accounts = slow, slow
				})
				if c.budget != 0 {
					w.ctx = store.WithBudget(w.ctx, c.budget)
				}
				began := time.Now()
				if c.passes {
					w.pass(w.bearer())
				} else {
					w.refuse(w.bearer(), auth.Unavailable, auth.ReasonStore)
				}
				if took := time.Since(began); took != c.takes {
					t.Errorf("it takes %v, want %v", took, c.takes)
				}
				if left, bounded := store.Budget(w.ctx); bounded && left > 0 {
					t.Errorf("%v of the budget are left", left)
				}
				<-time.After(2 * c.slow) // the lookup ends by itself
			})
		})
	}
}
