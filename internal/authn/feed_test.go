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
)

// farFeed is the feed of a node that is told of nothing by the process that
// makes a change, and cannot reach the store while it is cut.
type farFeed struct {
	store.Changes
	cut   atomic.Bool
	asked atomic.Int64
	back  atomic.Int64 // taken off every sequence: a store that was restored
}

var errCut = errors.New("cut off")

// maxAsked is far more often than any test has the feed asked: it ends one that
// is asked without a pause, for which the clock of a bubble would stand still.
const maxAsked = 10_000

func (f *farFeed) Subscribe(func([]store.Change)) func() { return func() {} }

func (f *farFeed) Latest(ctx context.Context) (int64, error) {
	if f.asked.Add(1) > maxAsked || f.cut.Load() {
		return 0, errCut
	}
	seq, err := f.Changes.Latest(ctx)
	return seq - f.back.Load(), err
}

func (f *farFeed) Since(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if f.cut.Load() {
		return nil, errCut
	}
	changes, err := f.Changes.Since(ctx, after+f.back.Load(), limit)
	for i := range changes {
		changes[i].Seq -= f.back.Load()
	}
	return changes, err
}

func (f *farFeed) Wait(ctx context.Context, after int64) error {
	if f.cut.Load() {
		return errCut
	}
	return f.Changes.Wait(ctx, after+f.back.Load())
}

// farWorld has ann's verdict in the cache of a far node.
func farWorld(t *testing.T) (*world, *farFeed) {
	t.Helper()
	feed := &farFeed{}
	w := newWorld(t, func(c *authn.Config) {
		feed.Changes = c.Store.Changes
		c.Store.Changes = feed
	})
	w.record(2)
	synctest.Wait()
	pass(2 * time.Second)
	w.settle()
	return w, feed
}

// record makes n changes of nothing that the tests look at.
func (w *world) record(n int) {
	w.t.Helper()
	for range n {
		must(w.t, w.Changes.Record(w.ctx, store.Change{Realm: realm, Kind: store.TenantChanged, ID: "another"}))
	}
}

// revoke withdraws the token of the world.
func (w *world) revoke() {
	w.t.Helper()
	n, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: sessionID})
	must(w.t, err)
	if n != 1 {
		w.t.Fatalf("%d sessions were revoked", n)
	}
}

func (w *world) trim(limit int) {
	w.t.Helper()
	n, err := w.Changes.TrimChanges(w.ctx, w.now().Add(time.Hour), limit)
	must(w.t, err)
	if n == 0 {
		w.t.Fatal("nothing was trimmed")
	}
}

func TestAChangeThatWasTrimmedBeforeItWasReadIsNotMissed(t *testing.T) {
	for name, trim := range map[string]func(*world){
		"where nothing is left":              func(w *world) { w.trim(1000) },
		"where later changes are left":       func(w *world) { w.record(3); w.trim(int(w.latest()) - 2) },
		"where a page of later ones is left": func(w *world) { w.record(1500); w.trim(int(w.latest()) - 1200) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, feed := farWorld(t)
				feed.cut.Store(true)
				pass(2 * time.Second)
				w.revoke()
				trim(w)
				feed.cut.Store(false)
				pass(2 * time.Second)
				w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)

				asked := feed.asked.Load() // the feed is read in peace again
				pass(10 * time.Second)
				if n := feed.asked.Load() - asked; n > 15 {
					t.Errorf("in 10 seconds the store was asked %d times for changes", n)
				}
			})
		})
	}
}

func (w *world) latest() int64 {
	w.t.Helper()
	seq, err := w.Changes.Latest(w.ctx)
	must(w.t, err)
	return seq
}

// A store that was restored from a copy gives sequences again that were used.
func TestASequenceThatWentBackIsAChangeOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, feed := farWorld(t)
		feed.cut.Store(true)
		pass(2 * time.Second)
		feed.back.Store(w.latest())
		w.revoke()
		feed.cut.Store(false)
		pass(2 * time.Second)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	})
}

func TestWhatWasLookedUpBeforeTheFeedBeganIsLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &farFeed{}
		feed.cut.Store(true)
		w := newWorld(t, func(c *authn.Config) {
			feed.Changes = c.Store.Changes
			c.Store.Changes = feed
		})
		w.pass(w.bearer())
		w.revoke() // by another process, before the feed was first read
		feed.cut.Store(false)
		pass(2 * time.Second)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	})
}

func TestAClockThatIsSetBackLengthensNoTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, feed := farWorld(t)
		feed.cut.Store(true)
		w.revoke()
		w.clock.Store(-int64(time.Hour))
		pass(2 * authn.DefaultMaxStaleness)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	})
}

// A verdict of another caller stays where nothing was missed.
func TestChangesThatFollowOneAnotherVoidNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := farWorld(t)
		asked := w.reads.count.Load()
		for range 5 {
			w.record(1200)
			pass(time.Second)
			w.pass(w.bearer())
		}
		if n := w.reads.count.Load() - asked; n != 0 {
			t.Errorf("the verdict was looked up %d times more", n)
		}
	})
}
