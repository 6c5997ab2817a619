package gateway_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// countingSweeps counts steps and the rows of the largest.
type countingSweeps struct {
	store.Sessions
	steps, largest atomic.Int64
	fail           atomic.Bool
	hold           atomic.Pointer[chan struct{}] // nil, or closed to let a step go on
}

func (c *countingSweeps) SweepSessions(ctx context.Context, limit int) (int, error) {
	c.steps.Add(1)
	if hold := c.hold.Load(); hold != nil {
		<-*hold
	}
	if c.fail.Load() {
		return 0, down(ctx)
	}
	n, err := c.Sessions.SweepSessions(ctx, limit)
	c.largest.Store(max(c.largest.Load(), int64(n)))
	return n, err
}

// newRuntime returns a runtime on a store with that many sessions, which live
// for a minute.
func newRuntime(t *testing.T, sessions int) (*gateway.Runtime, *countingSweeps) {
	t.Helper()
	return newRuntimeAt(t, sessions, time.Now)
}

func newRuntimeAt(t *testing.T, sessions int, clock func() time.Time) (*gateway.Runtime, *countingSweeps) {
	t.Helper()
	rows := memstore.New(clock)
	sweeps := &countingSweeps{Sessions: rows.Sessions}
	rows.Sessions = sweeps
	now := store.Precise(clock())
	for i := range sessions {
		id := strconv.Itoa(i)
		must(t, rows.Sessions.InsertSession(context.Background(), store.Session{
			ID: id, Realm: realm, Digest: auth.DigestOf(id), Kind: store.AccessToken, Subject: annID,
			Issued: now, Updated: now, Expires: now.Add(time.Minute), Keep: now.Add(time.Minute),
		}))
	}
	return gateway.NewRuntime(gateway.RuntimeConfig{Store: rows, Now: clock}), sweeps
}

// pass lets the clock of a bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// TestWhatIsPastItsTimeIsSweptInSmallSteps that follow one another closely.
func TestWhatIsPastItsTimeIsSweptInSmallSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, sweeps := newRuntime(t, 5000)
		defer func() { must(t, rt.Close()) }()
		pass(time.Minute - time.Second)
		if n := sweeps.largest.Load(); n != 0 {
			t.Errorf("%d rows went before their time", n)
		}
		pass(7 * time.Second)
		if n := sweeps.largest.Load(); n == 0 || n > 500 {
			t.Errorf("%d rows went in one step", n)
		}
		_, total, err := rt.Store.Sessions.FindSessions(context.Background(), realm, store.SessionQuery{})
		must(t, err)
		if n, err := sweeps.Sessions.SweepSessions(context.Background(), 1); total != 0 || n != 0 || err != nil {
			t.Errorf("%d rows are left, %d past their time (%v)", total, n, err)
		}
	})
}

func TestAStoreOutOfReachIsSweptNoOftenerThanAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, sweeps := newRuntime(t, 1)
		defer func() { must(t, rt.Close()) }()
		sweeps.fail.Store(true)
		pass(time.Minute)
		if n := sweeps.steps.Load(); n < 10 || n > 13 {
			t.Errorf("%d steps in a minute", n)
		}
		sweeps.fail.Store(false)
		pass(time.Minute)
		if sweeps.largest.Load() != 1 {
			t.Error("the sweep did not come back")
		}
	})
}

func TestChangesAreForgottenAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64 // of the bubble's clock, so that no second has to pass
		rt, _ := newRuntimeAt(t, 0, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
		defer func() { must(t, rt.Close()) }()
		ctx := context.Background()
		must(t, rt.Store.Changes.Record(ctx, store.Change{Kind: store.AllChanged}))
		for _, c := range []struct {
			after time.Duration
			left  int
		}{{23 * time.Hour, 1}, {24*time.Hour + time.Minute, 0}} {
			ahead.Store(int64(c.after))
			pass(10 * time.Second)
			list, err := rt.Store.Changes.Since(ctx, 0, 10)
			must(t, err)
			if len(list) != c.left {
				t.Errorf("%d changes after %v", len(list), c.after)
			}
		}
	})
}

func TestCountersOfFailedLoginsAreGivenUpWhileNobodyLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, _ := newRuntime(t, 0)
		defer func() { must(t, rt.Close()) }()
		for i := range 100 {
			a, err := rt.Attempts.Begin(context.Background(), throttle.Key{Name: strconv.Itoa(i)}, throttle.DefaultAttempts)
			must(t, err)
			a.Fail()
		}
		pass(throttle.DefaultAttempts.Window + 10*time.Second)
		if known, unknown := rt.Attempts.Len(); known+unknown != 0 {
			t.Errorf("%d counters are left", known+unknown)
		}
	})
}

// TestCloseWaitsForASweepUnderWay, or the store would be closed under it.
func TestCloseWaitsForASweepUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, sweeps := newRuntime(t, 1)
		hold := make(chan struct{})
		sweeps.hold.Store(&hold)
		pass(6 * time.Second)
		closed := make(chan error, 1)
		go func() { closed <- rt.Close() }()
		synctest.Wait()
		if len(closed) != 0 {
			t.Error("closed during a sweep")
		}
		close(hold)
		must(t, <-closed)
	})
}

// TestCloseEndsWhatWasStarted: a goroutine that is left fails the bubble.
func TestCloseEndsWhatWasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, sweeps := newRuntime(t, 1)
		pass(time.Second)
		must(t, rt.Close())
		steps := sweeps.steps.Load()
		pass(time.Hour)
		if sweeps.steps.Load() != steps {
			t.Error("the store was swept after Close")
		}
		if _, err := rt.Store.Accounts.Account(context.Background(), realm, "ann"); auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("the store is still open: %v", err)
		}
	})
}

// keyRows gives the embedded interface a name that none of its methods has.
type keyRows = store.SigningKeys

// unreadableKeys are signing keys in a store that does not answer.
type unreadableKeys struct {
	keyRows
	down atomic.Bool
}

func (k *unreadableKeys) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	if k.down.Load() {
		return nil, down(ctx)
	}
	return k.keyRows.SigningKeys(ctx)
}

// TestARotationThatFailedIsToldEachTimeAndTriedAgain, since nothing else shows
// that an old key signs on.
func TestARotationThatFailedIsToldEachTimeAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := memstore.New(time.Now)
		keys := &unreadableKeys{keyRows: rows.SigningKeys}
		rows.SigningKeys = keys
		var told atomic.Int64
		rt := gateway.NewRuntime(gateway.RuntimeConfig{Store: rows, Now: time.Now, Failed: func(work string, err error) {
			if work != "rotating signing keys" || auth.CodeOf(err) != auth.Unavailable {
				t.Errorf("told of %s: %v", work, err)
			}
			told.Add(1)
		}})
		pass(3 * time.Minute)
		if n := told.Load(); n != 0 {
			t.Errorf("told of %d failures where nothing failed", n)
		}
		keys.down.Store(true)
		pass(5 * time.Minute)
		if n := told.Load(); n < 4 || n > 5 {
			t.Errorf("told %d times in five minutes", n)
		}
		keys.down.Store(false)
		before := told.Load()
		pass(3 * time.Minute)
		if n := told.Load(); n != before {
			t.Errorf("told %d times more once the store was back", n-before)
		}
		keys.down.Store(true)
		must(t, rt.Close())
		if n := told.Load(); n != before {
			t.Error("told of the end as of a failure")
		}
	})
}

func TestARotationThatNobodyAsksAboutMayFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := memstore.New(time.Now)
		keys := &unreadableKeys{keyRows: rows.SigningKeys}
		rows.SigningKeys = keys
		keys.down.Store(true)
		rt := gateway.NewRuntime(gateway.RuntimeConfig{Store: rows, Now: time.Now})
		pass(2 * time.Minute)
		must(t, rt.Close())
	})
}
