package authn_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
)

// outage is a store whose sessions and feed can be out of reach.
type outage struct {
	store.Sessions
	brokenFeed
	down atomic.Bool
}

func (o *outage) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	if o.down.Load() {
		return store.Session{}, auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("out of reach"))
	}
	return o.Sessions.Session(ctx, realm, by)
}

// outOf puts an outage around the store of a configuration.
func (o *outage) outOf(c *authn.Config) {
	o.Sessions, o.Changes = c.Store.Sessions, c.Store.Changes
	c.Store.Sessions, c.Store.Changes = o, &o.brokenFeed
}

func (o *outage) set(down bool) {
	o.down.Store(down)
	o.broken.Store(down)
}

func TestKnownCredentialsCountUntilTheGraceIsOver(t *testing.T) {
	const grace = 10 * time.Second
	for _, c := range []struct {
		name  string
		grace time.Duration
		after time.Duration
		known bool
	}{
		{"without grace they count while the cache is trusted", 0, authn.DefaultMaxStaleness - time.Second, true},
		{"without grace they count no longer than that", 0, authn.DefaultMaxStaleness + time.Second, false},
		{"with grace they count for it too", grace, authn.DefaultMaxStaleness + grace - time.Second, true},
		{"and no longer", grace, authn.DefaultMaxStaleness + grace + time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(outage)
				w := newWorld(t, func(cfg *authn.Config) { o.outOf(cfg); cfg.Grace = c.grace })
				synctest.Wait()
				w.settle()
				pass(time.Second) // the heartbeat, so that it is known when the feed was last heard of
				synctest.Wait()
				o.set(true)
				pass(c.after)
				if c.known {
					w.pass(w.bearer())
				} else {
					w.refuse(w.bearer(), auth.Unavailable, auth.ReasonStore)
				}
				w.refuse(w.apiKeyOf("nobody knows this key"), auth.InvalidCredential, auth.ReasonUnknown)
				o.set(false)
				pass(time.Second)
				w.pass(w.bearer())
			})
		})
	}
}

func TestAGraceRevivesNothingThatWasWithdrawnOrHasExpired(t *testing.T) {
	for _, c := range []struct {
		name     string
		withdraw func(*testing.T, *world)
	}{
		{"a token that was revoked before", func(t *testing.T, w *world) {
			_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: sessionID})
			must(t, err)
		}},
		{"a token that expires meanwhile", func(_ *testing.T, w *world) { w.clock.Store(int64(2 * time.Hour)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(outage)
				w := newWorld(t, func(cfg *authn.Config) { o.outOf(cfg); cfg.Grace = 24 * time.Hour })
				synctest.Wait()
				w.settle()
				c.withdraw(t, w)
				o.set(true)
				pass(authn.DefaultMaxStaleness + time.Second)
				w.refuse(w.bearer(), auth.Unavailable, auth.ReasonStore)
			})
		})
	}
}

// TestTwoFeedsVouchTogether has the changes of sessions come from a feed of
// their own, as they do where sessions live apart.
func TestTwoFeedsVouchTogether(t *testing.T) {
	for _, c := range []struct {
		name          string
		rest, session bool
	}{
		{"the feed of the rest falls silent", true, false},
		{"the feed of the sessions falls silent", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rest, session := &brokenFeed{}, &brokenFeed{}
				w := newWorld(t, func(cfg *authn.Config) {
					rest.Changes, session.Changes = cfg.Store.Changes, memstore.New(time.Now).Changes
					cfg.Store.Changes, cfg.Store.SessionChanges = rest, session
				})
				synctest.Wait()
				w.settle()
				rest.broken.Store(c.rest)
				session.broken.Store(c.session)
				pass(authn.DefaultMaxStaleness + 2*time.Second)
				hits := w.r.Stats().Hits
				w.pass(w.bearer())
				if w.r.Stats().Hits != hits {
					t.Error("a verdict was answered from the cache although a feed is silent")
				}
				states := w.r.Feeds()
				if states[0].Broken != c.rest || states[1].Broken != c.session {
					t.Errorf("got %+v", states)
				}
			})
		})
	}
}

func TestAChangeOfTheSecondFeedVoidsAVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		apart := memstore.New(time.Now)
		w := newWorld(t, func(cfg *authn.Config) { cfg.Store.SessionChanges = apart.Changes })
		synctest.Wait()
		w.settle()
		asked := w.reads.count.Load()
		must(t, apart.Changes.Record(w.ctx, store.Change{Realm: realm, Kind: store.SessionChanged, ID: sessionID}))
		w.pass(w.bearer())
		if w.reads.count.Load() != asked+1 {
			t.Error("the verdict was answered from the cache although its session changed")
		}
	})
}

// TestAClockThatIsSetBackMakesNoTrustLonger sets it back while the feed is
// silent.
func TestAClockThatIsSetBackMakesNoTrustLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(outage)
		w := newWorld(t, o.outOf)
		synctest.Wait()
		w.settle()
		o.set(true)
		w.clock.Store(-int64(30 * time.Minute))
		pass(authn.DefaultMaxStaleness + time.Second)
		w.refuse(w.bearer(), auth.Unavailable, auth.ReasonStore)
	})
}

// slowFeed has the heartbeat of a store, and answers after a moment as a server
// does.
type slowFeed struct{ store.Changes }

func (f slowFeed) Latest(ctx context.Context) (int64, error) {
	<-time.After(5 * time.Millisecond)
	return f.Changes.Latest(ctx)
}

func (slowFeed) Wait(ctx context.Context, _ int64) error {
	select {
	case <-time.After(time.Second): // at most, says the contract
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestTheTrustInTheCacheDoesNotLapseBetweenHeartbeats(t *testing.T) {
	for _, bound := range []time.Duration{100 * time.Millisecond, time.Second, authn.DefaultMaxStaleness} {
		t.Run(bound.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(cfg *authn.Config) {
					cfg.MaxStaleness, cfg.Store.Changes = bound, slowFeed{cfg.Store.Changes}
				})
				pass(time.Second)
				w.settle()
				before := w.r.Stats().Misses
				for range 1000 {
					pass(7 * time.Millisecond)
					w.pass(w.bearer())
				}
				if after := w.r.Stats().Misses; after != before {
					t.Errorf("%d of 1000 requests had to be looked up", after-before)
				}
				if f := w.r.Feeds()[0]; f.Broken || f.Silent > bound {
					t.Errorf("the feed is %+v", f)
				}
			})
		})
	}
}
