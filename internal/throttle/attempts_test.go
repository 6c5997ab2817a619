package throttle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// fakeClock is a wall clock without a monotonic reading, which may jump.
type fakeClock struct{ t time.Time }

func newFakeClock() *fakeClock {
	return &fakeClock{t: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (c *fakeClock) now() time.Time          { return c.t }
func (c *fakeClock) advance(d time.Duration) { c.t = c.t.Add(d) }

var (
	alice = Key{Name: "alice", Known: true}
	five  = Limit{Events: 5, Window: 5 * time.Minute}
)

func mustBegin(t *testing.T, a *Attempts, k Key, l Limit) *Attempt {
	t.Helper()
	attempt, err := a.Begin(t.Context(), k, l)
	if err != nil {
		t.Fatalf("Begin was refused: %v", err)
	}
	return attempt
}

// mustRefuse returns the time to wait.
func mustRefuse(t *testing.T, a *Attempts, k Key, l Limit) time.Duration {
	t.Helper()
	attempt, err := a.Begin(t.Context(), k, l)
	if err == nil {
		attempt.Release()
		t.Fatal("Begin went ahead, want a refusal")
	}
	failure := auth.AsError(err)
	if failure.Code != auth.Throttled || failure.Reason != auth.ReasonAttempts {
		t.Fatalf("Begin refused with %v, want throttled for attempts", err)
	}
	if failure.RetryAfter < time.Second || failure.RetryAfter%time.Second != 0 {
		t.Fatalf("RetryAfter = %v, want whole seconds", failure.RetryAfter)
	}
	return failure.RetryAfter
}

func failTimes(t *testing.T, a *Attempts, k Key, l Limit, n int) {
	t.Helper()
	for range n {
		mustBegin(t, a, k, l).Fail()
	}
}

func TestAttempts(t *testing.T) {
	for _, known := range []bool{true, false} {
		key := Key{Name: "someone", Known: known}
		for _, tt := range []struct {
			name string
			test func(*testing.T, *Attempts, *fakeClock)
		}{
			{"five failures lock the key for the window after the last", func(t *testing.T, a *Attempts, c *fakeClock) {
				for range 4 {
					failTimes(t, a, key, five, 1)
					c.advance(time.Minute)
				}
				failTimes(t, a, key, five, 1)
				if got := mustRefuse(t, a, key, five); got != 5*time.Minute {
					t.Errorf("RetryAfter = %v, want 5m", got)
				}
				c.advance(5*time.Minute - time.Nanosecond)
				if got := mustRefuse(t, a, key, five); got != time.Second {
					t.Errorf("RetryAfter = %v, want 1s", got)
				}
				c.advance(time.Nanosecond)
				mustBegin(t, a, key, five).Release()
			}},
			{"after the lock the count starts anew", func(t *testing.T, a *Attempts, c *fakeClock) {
				failTimes(t, a, key, five, 5)
				c.advance(5 * time.Minute)
				failTimes(t, a, key, five, 5)
				mustRefuse(t, a, key, five)
			}},
			{"a refused attempt lengthens nothing", func(t *testing.T, a *Attempts, c *fakeClock) {
				failTimes(t, a, key, five, 5)
				for range 10 {
					c.advance(29 * time.Second)
					mustRefuse(t, a, key, five)
				}
				c.advance(10 * time.Second)
				mustBegin(t, a, key, five).Release()
			}},
			{"failures further apart than the window never lock", func(t *testing.T, a *Attempts, c *fakeClock) {
				for range 50 {
					failTimes(t, a, key, five, 1)
					c.advance(75 * time.Second)
				}
				mustBegin(t, a, key, five).Release()
			}},
			{"failures slightly closer than that lock", func(t *testing.T, a *Attempts, c *fakeClock) {
				for range 4 {
					failTimes(t, a, key, five, 1)
					c.advance(75*time.Second - time.Nanosecond)
				}
				failTimes(t, a, key, five, 1)
				mustRefuse(t, a, key, five)
			}},
			{"a success clears the key", func(t *testing.T, a *Attempts, _ *fakeClock) {
				for range 3 {
					failTimes(t, a, key, five, 4)
					mustBegin(t, a, key, five).Succeed()
				}
				failTimes(t, a, key, five, 5)
				mustRefuse(t, a, key, five)
			}},
			{"a release counts nothing and clears nothing", func(t *testing.T, a *Attempts, _ *fakeClock) {
				failTimes(t, a, key, five, 4)
				for range 20 {
					mustBegin(t, a, key, five).Release()
				}
				failTimes(t, a, key, five, 1)
				mustRefuse(t, a, key, five)
			}},
			{"only the first end of an attempt counts", func(t *testing.T, a *Attempts, _ *fakeClock) {
				for range 4 {
					attempt := mustBegin(t, a, key, five)
					attempt.Fail()
					attempt.Fail()
					attempt.Succeed()
					attempt.Release()
				}
				failTimes(t, a, key, five, 1)
				mustRefuse(t, a, key, five)
			}},
			{"keys do not share a count", func(t *testing.T, a *Attempts, _ *fakeClock) {
				failTimes(t, a, key, five, 5)
				mustBegin(t, a, Key{Name: key.Name, Known: !known}, five).Release()
				mustBegin(t, a, Key{Name: "another", Known: known}, five).Release()
				mustBegin(t, a, Key{Name: "", Known: known}, five).Release()
			}},
			{"no limit is the default limit", func(t *testing.T, a *Attempts, _ *fakeClock) {
				failTimes(t, a, key, Limit{}, DefaultAttempts.Events)
				if got := mustRefuse(t, a, key, Limit{}); got != DefaultAttempts.Window {
					t.Errorf("RetryAfter = %v, want %v", got, DefaultAttempts.Window)
				}
			}},
			{"a lock holds for a wider limit too", func(t *testing.T, a *Attempts, c *fakeClock) {
				failTimes(t, a, key, Limit{Events: 2, Window: time.Minute}, 2)
				if got := mustRefuse(t, a, key, five); got != time.Minute {
					t.Errorf("RetryAfter = %v, want 1m", got)
				}
				c.advance(time.Minute)
				failTimes(t, a, key, five, 3) // the two before count here
				mustRefuse(t, a, key, five)
			}},
			{"of two locks the longer holds, set first or last", func(t *testing.T, a *Attempts, _ *fakeClock) {
				for i, limits := range [][2]Limit{
					{{Events: 3, Window: 5 * time.Minute}, {Events: 4, Window: time.Minute}},
					{{Events: 3, Window: time.Minute}, {Events: 4, Window: 5 * time.Minute}},
				} {
					k := Key{Name: fmt.Sprint(key.Name, i), Known: key.Known}
					failTimes(t, a, k, limits[1], 2)
					first, second := mustBegin(t, a, k, limits[0]), mustBegin(t, a, k, limits[1])
					first.Fail()
					second.Fail()
					if got := mustRefuse(t, a, k, Limit{Events: 100, Window: time.Second}); got != 5*time.Minute {
						t.Errorf("RetryAfter = %v, want 5m", got)
					}
				}
			}},
			{"a success clears a lock that was set while it was tried", func(t *testing.T, a *Attempts, _ *fakeClock) {
				narrow := Limit{Events: 2, Window: time.Minute}
				bad, worse := mustBegin(t, a, key, narrow), mustBegin(t, a, key, narrow)
				good := mustBegin(t, a, key, five)
				bad.Fail()
				worse.Fail()
				mustRefuse(t, a, key, narrow)
				mustRefuse(t, a, key, five)
				good.Succeed()
				mustBegin(t, a, key, narrow).Release()
			}},
			{"a narrower limit judges what a wider one let through", func(t *testing.T, a *Attempts, c *fakeClock) {
				failTimes(t, a, key, five, 3)
				narrow := Limit{Events: 3, Window: time.Minute}
				if got := mustRefuse(t, a, key, narrow); got != time.Minute {
					t.Errorf("RetryAfter = %v, want 1m", got)
				}
				c.advance(time.Minute)
				mustBegin(t, a, key, narrow).Release()
			}},
		} {
			t.Run(fmt.Sprintf("%s, known %v", tt.name, known), func(t *testing.T) {
				c := newFakeClock()
				tt.test(t, NewAttempts(c.now, 0), c)
			})
		}
	}
}

func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, -24 * time.Hour, -87600 * time.Hour, time.Hour, 87600 * time.Hour} {
		t.Run(fmt.Sprintf("a jump of %v makes no lock longer than the window", jump), func(t *testing.T) {
			c := newFakeClock()
			a := NewAttempts(c.now, 0)
			failTimes(t, a, alice, five, 5)
			c.advance(jump)
			if jump < 0 {
				if got := mustRefuse(t, a, alice, five); got > five.Window {
					t.Errorf("RetryAfter = %v, want at most %v", got, five.Window)
				}
				c.advance(five.Window)
			}
			mustBegin(t, a, alice, five).Release()
		})
		t.Run(fmt.Sprintf("a jump of %v makes no failure count longer than the window", jump), func(t *testing.T) {
			c := newFakeClock()
			a := NewAttempts(c.now, 0)
			failTimes(t, a, alice, five, 4)
			c.advance(jump)
			mustBegin(t, a, alice, five).Release() // the jump is seen
			c.advance(five.Window)
			failTimes(t, a, alice, five, 4)
			mustBegin(t, a, alice, five).Release()
		})
	}
}

func TestAtOnce(t *testing.T) {
	t.Run("a hundred wrong guesses at once come down to five", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := NewAttempts(time.Now, 0)
			var tried, refusals, most, now atomic.Int32
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					attempt, err := a.Begin(t.Context(), alice, five)
					if err != nil {
						refusals.Add(1)
						return
					}
					tried.Add(1)
					most.Store(max(most.Load(), now.Add(1)))
					<-time.After(40 * time.Millisecond)
					now.Add(-1)
					attempt.Fail()
				})
			}
			all.Wait()
			if tried.Load() != 5 || refusals.Load() != 95 || most.Load() > 5 {
				t.Errorf("tried %d, refused %d, at most %d at once; want 5, 95, 5", tried.Load(), refusals.Load(), most.Load())
			}
		})
	})
	t.Run("a hundred good logins at once all get through", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := NewAttempts(time.Now, 0)
			var all sync.WaitGroup
			var good atomic.Int32
			for range 100 {
				all.Go(func() {
					attempt, err := a.Begin(t.Context(), alice, five)
					if err != nil {
						t.Errorf("a good login was refused: %v", err)
						return
					}
					<-time.After(40 * time.Millisecond)
					good.Add(1)
					attempt.Succeed()
				})
			}
			all.Wait()
			if known, _ := a.Len(); good.Load() != 100 || known != 0 {
				t.Errorf("%d got through and %d keys are left, want 100 and 0", good.Load(), known)
			}
		})
	})
	t.Run("after four failures one is tried at a time, in order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := NewAttempts(time.Now, 0)
			failTimes(t, a, alice, five, 4)
			first := mustBegin(t, a, alice, five)
			var order []int
			for i := range 3 {
				go func() {
					attempt := mustBegin(t, a, alice, five)
					order = append(order, i)
					attempt.Release()
				}()
				synctest.Wait()
			}
			if len(order) != 0 {
				t.Fatalf("%v did not wait", order)
			}
			first.Release()
			synctest.Wait()
			if fmt.Sprint(order) != "[0 1 2]" {
				t.Errorf("order = %v, want [0 1 2]", order)
			}
		})
	})
	t.Run("an attempt that is refused while it waits is told how long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := NewAttempts(time.Now, 0)
			failTimes(t, a, alice, five, 4)
			last := mustBegin(t, a, alice, five)
			var err error
			go func() { _, err = a.Begin(t.Context(), alice, five) }()
			synctest.Wait()
			last.Fail()
			synctest.Wait()
			if failure := auth.AsError(err); failure == nil || failure.Code != auth.Throttled || failure.RetryAfter != five.Window {
				t.Errorf("Begin = %v, want throttled for %v", err, five.Window)
			}
		})
	})
}

func TestWaitEnds(t *testing.T) {
	one := Limit{Events: 1, Window: time.Minute}
	t.Run("a context that ends first is unavailable and leaves no trace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := NewAttempts(time.Now, 0)
			busy := mustBegin(t, a, alice, one)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := a.Begin(ctx, alice, one)
			if auth.CodeOf(err) != auth.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Begin = %v, want unavailable by the deadline", err)
			}
			busy.Release()
			mustBegin(t, a, alice, one).Succeed()
			if known, _ := a.Len(); known != 0 {
				t.Errorf("%d keys are left, want 0", known)
			}
		})
	})
	t.Run("a context that has ended takes no place", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		a := NewAttempts(time.Now, 0)
		if _, err := a.Begin(ctx, alice, one); auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("Begin = %v, want unavailable", err)
		}
		if known, _ := a.Len(); known != 0 {
			t.Errorf("%d keys are left, want 0", known)
		}
	})
	t.Run("a place that comes as the context ends is given on", func(t *testing.T) {
		a := NewAttempts(time.Now, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 64 { // which of the two is seen first is left to chance
			busy := mustBegin(t, a, alice, one)
			late := &Attempt{clock: a.clock, shard: a.shard(alice.Name), limit: one}
			late.pool = late.shard.known
			w, err := late.enter(sha256.Sum256([]byte(alice.Name)))
			if w == nil {
				t.Fatalf("the second does not wait: %v", err)
			}
			busy.Release()
			if err := late.await(ctx, w); err == nil {
				late.Release()
			}
		}
		if known, _ := a.Len(); known != 0 {
			t.Errorf("%d keys are left, want 0", known)
		}
	})
	t.Run("the crowd that waits for one key is bounded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := NewAttempts(time.Now, 0)
			busy := mustBegin(t, a, alice, one)
			var through atomic.Int32
			for range maxWaiting {
				go func() {
					mustBegin(t, a, alice, one).Release()
					through.Add(1)
				}()
			}
			synctest.Wait()
			_, err := a.Begin(t.Context(), alice, one)
			if failure := auth.AsError(err); failure == nil || failure.Code != auth.Unavailable || failure.Reason != auth.ReasonQueue || failure.RetryAfter != time.Second {
				t.Errorf("Begin = %v, want unavailable, queue, one second", err)
			}
			busy.Release()
			synctest.Wait()
			if through.Load() != maxWaiting {
				t.Errorf("%d got through, want %d", through.Load(), maxWaiting)
			}
		})
	})
}

func TestMemoryOfAttempts(t *testing.T) {
	t.Run("a wide window and many events of two limits keep no more failures than matter", func(t *testing.T) {
		c := newFakeClock()
		a := NewAttempts(c.now, minShard)
		many, long := Limit{Events: 20, Window: time.Second}, Limit{Events: 1, Window: time.Hour}
		mustBegin(t, a, alice, long).Release()
		for range 1000 {
			failTimes(t, a, alice, many, 1)
			c.advance(time.Second)
		}
		mustRefuse(t, a, alice, long)
		for _, counter := range a.shards[0].known.counters {
			if n := len(counter.fails); n != many.Events {
				t.Errorf("%d failures are kept, want %d", n, many.Events)
			}
		}
	})
	t.Run("unknown names push out the oldest of them, and no known one", func(t *testing.T) {
		c := newFakeClock()
		a := NewAttempts(c.now, 3)
		failTimes(t, a, alice, five, 5)
		failTimes(t, a, Key{Name: "first"}, five, 5)
		failTimes(t, a, Key{Name: "second"}, five, 5)
		failTimes(t, a, Key{Name: "third"}, five, 5)
		failTimes(t, a, Key{Name: "fourth"}, five, 5)
		if known, unknown := a.Len(); known != 1 || unknown != 3 {
			t.Errorf("Len = %d, %d, want 1, 3", known, unknown)
		}
		mustRefuse(t, a, alice, five)
		mustRefuse(t, a, Key{Name: "second"}, five)
		mustRefuse(t, a, Key{Name: "fourth"}, five)
		mustBegin(t, a, Key{Name: "first"}, five).Release()
	})
	t.Run("a name that is being tried is not pushed out", func(t *testing.T) {
		c := newFakeClock()
		a := NewAttempts(c.now, 1)
		failTimes(t, a, Key{Name: "held"}, five, 4)
		held := mustBegin(t, a, Key{Name: "held"}, five)
		failTimes(t, a, Key{Name: "other"}, five, 5)
		failTimes(t, a, Key{Name: "third"}, five, 5)
		held.Fail()
		mustRefuse(t, a, Key{Name: "held"}, five)
	})
	t.Run("two hundred thousand names stay within the bound", func(t *testing.T) {
		c := newFakeClock()
		a := NewAttempts(c.now, 0)
		for i := range 200_000 {
			mustBegin(t, a, Key{Name: fmt.Sprint("nobody-", i)}, five).Fail()
		}
		if _, unknown := a.Len(); unknown > defaultUnknown || unknown < defaultUnknown*9/10 {
			t.Errorf("%d names are kept, want nearly %d", unknown, defaultUnknown)
		}
	})
	t.Run("what no longer counts goes while others come", func(t *testing.T) {
		c := newFakeClock()
		a := NewAttempts(c.now, 0)
		for i := range 4000 {
			mustBegin(t, a, Key{Name: fmt.Sprint(i), Known: i%2 == 0}, five).Fail()
		}
		c.advance(five.Window)
		for i := range 4000 {
			mustBegin(t, a, Key{Name: fmt.Sprint("other", i)}, five).Release()
		}
		if known, unknown := a.Len(); known+unknown > 0 {
			t.Errorf("Len = %d, %d, want none", known, unknown)
		}
	})
	t.Run("a sweep goes no further than it was told", func(t *testing.T) {
		c := newFakeClock()
		a := NewAttempts(c.now, minShard) // one part
		for i := range 100 {
			mustBegin(t, a, Key{Name: fmt.Sprint(i), Known: true}, five).Fail()
		}
		a.Sweep(100)
		if known, _ := a.Len(); known != 100 {
			t.Fatalf("a sweep dropped keys that count: %d are left of 100", known)
		}
		c.advance(five.Window)
		a.Sweep(30)
		if known, _ := a.Len(); known != 70 {
			t.Errorf("%d keys are left, want 70", known)
		}
	})
}

// TestAttemptsAgainstModel runs random calls against the rule written down the
// slow way.
func TestAttemptsAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		c := newFakeClock()
		a := NewAttempts(c.now, 0)
		limit := Limit{Events: 1 + rng.IntN(6), Window: time.Minute}
		var fails []time.Time
		var until time.Time
		for step := range 200 {
			c.advance(time.Duration(rng.IntN(30)) * time.Second)
			recent := 0
			for _, at := range fails {
				if c.t.Sub(at) < limit.Window {
					recent++
				}
			}
			want := c.t.Before(until)
			attempt, err := a.Begin(t.Context(), alice, limit)
			if (err != nil) != want {
				t.Fatalf("step %d: Begin = %v, want refusal %v", step, err, want)
			}
			if err != nil {
				continue
			}
			switch rng.IntN(8) {
			case 0:
				attempt.Succeed()
				fails = nil
			case 1:
				attempt.Release()
			default:
				attempt.Fail()
				fails = append(fails, c.t)
				if recent+1 >= limit.Events {
					until = c.t.Add(limit.Window)
				}
			}
		}
	}
}
