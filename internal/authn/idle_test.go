package authn_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// countingTouches counts the uses that are written, and can refuse them.
type countingTouches struct {
	store.Sessions
	count   atomic.Int64
	refuses atomic.Bool
}

func (c *countingTouches) TouchSession(ctx context.Context, realm, id string, at store.Time) error {
	c.count.Add(1)
	if c.refuses.Load() {
		return errors.New("disk full")
	}
	return c.Sessions.TouchSession(ctx, realm, id, at)
}

// idleWorld is a world whose token has an idle time, and lives for a week.
func idleWorld(t *testing.T, idle time.Duration) (*world, *countingTouches) {
	touches := &countingTouches{}
	w := newWorld(t, func(c *authn.Config) {
		touches.Sessions = c.Store.Sessions
		c.Store.Sessions = touches
	})
	w.token = "ght_idle"
	w.addSession(func(s *store.Session) {
		s.ID, s.Idle, s.Expires = "idle", idle, s.Issued.Add(7*24*time.Hour)
		s.Keep = s.Expires.Add(time.Hour)
	})
	synctest.Wait()
	return w, touches
}

// restart replaces the resolver by a new one on the same store: what it knew
// of uses that were not written is gone.
func (w *world) restart(sessions store.Sessions) {
	w.t.Helper()
	rows := w.Store
	rows.Sessions = sessions
	w.r = authn.New(authn.Config{Store: rows, Now: w.now})
	w.r.Start()
	w.t.Cleanup(w.r.Close)
	synctest.Wait()
}

func TestAnIdleTokenLivesWhileItIsUsed(t *testing.T) {
	for _, c := range []struct {
		name                  string
		idle, every           time.Duration
		requests, most, least int64
	}{
		// Writes are due once a minute, and at the first request after that.
		{"10,000 requests in an hour", time.Hour, 360 * time.Millisecond, 10_000, 60, 58},
		{"one just before each end", 10 * time.Minute, 10*time.Minute - time.Millisecond, 20, 20, 20},
		{"a short idle time", 10 * time.Second, 100 * time.Millisecond, 1000, 100, 90},
		{"a very short one", time.Second, 999 * time.Millisecond, 100, 100, 49},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, touches := idleWorld(t, c.idle)
				for range c.requests {
					pass(c.every)
					w.pass(w.bearer())
				}
				if n := touches.count.Load(); n > c.most || n < c.least {
					t.Errorf("%d uses were written, want %d to %d", n, c.least, c.most)
				}
			})
		})
	}
}

func TestMostUsesOfAnIdleTokenAreAnsweredFromTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := idleWorld(t, time.Hour)
		for range 1000 { // in more than three hours
			pass(12 * time.Second)
			w.pass(w.bearer())
		}
		if s := w.r.Stats(); s.Misses > 1 {
			t.Errorf("%d of 1,000 asked the store", s.Misses)
		}
	})
}

// TestAnIdleTokenEndsAtAnInstant: at least the idle time after its last use,
// at most the precision later, and the same whether the verdict is cached, is
// not, or the process was restarted in between.
func TestAnIdleTokenEndsAtAnInstant(t *testing.T) {
	for name, between := range map[string]func(*world, *countingTouches){
		"with a cached verdict": func(*world, *countingTouches) {},
		"after a restart":       func(w *world, c *countingTouches) { w.restart(c) },
	} {
		for _, idle := range []time.Duration{5 * time.Second, 5 * time.Minute, 25 * time.Minute} {
			for part := range 5 {
				precision := authn.IdlePrecision(idle)
				offset := precision * time.Duration(part) / 4 // of the last use behind the last that was written
				t.Run(name+", "+idle.String()+", "+offset.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w, touches := idleWorld(t, idle)
						pass(idle/2 + time.Millisecond - 1) // a row holds whole milliseconds
						w.pass(w.bearer())
						pass(offset)
						w.pass(w.bearer())
						between(w, touches)
						last := time.Now()
						wantLife(t, w, last, idle, precision)
					})
				})
			}
		}
	}
}

// wantLife looks for the instant at which the token ends, without using it:
// each try is a world of its own in which time stands still but for the clock
// that the resolver is handed.
func wantLife(t *testing.T, w *world, last time.Time, idle, precision time.Duration) {
	t.Helper()
	row, err := w.Sessions.Session(w.ctx, realm, store.SessionRef{ID: "idle"})
	must(t, err)
	end := authn.End(row)
	if life := end.Sub(last); life < idle || life > idle+precision {
		t.Errorf("it lives for %v after its last use, want %v and at most %v more", life, idle, precision)
	}
	pass(time.Until(end))
	w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonExpired)
	w.clock.Store(-int64(time.Nanosecond))
	w.pass(w.bearer())
}

func TestAnIdleTokenNeverLivesPastItsExpiration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := idleWorld(t, time.Hour)
		w.token = "ght_bounded"
		w.addSession(func(s *store.Session) { s.ID, s.Idle = "bounded", 50*time.Minute }) // and lives for an hour
		for range 59 {
			pass(time.Minute)
			w.pass(w.bearer())
		}
		pass(time.Minute - time.Millisecond)
		w.pass(w.bearer())
		pass(time.Millisecond)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonExpired)
	})
}

// TestAUseOnAnotherNodeCountsHere although nothing was told of it: a verdict
// that has ended here is looked up again before it is refused.
func TestAUseOnAnotherNodeCountsHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, 10*time.Minute)
		here := w.r
		w.pass(w.bearer())
		w.restart(touches)
		there := w.r
		for range 5 {
			pass(9 * time.Minute)
			w.r = there
			w.pass(w.bearer())
		}
		pass(9 * time.Minute)
		w.r = here
		w.pass(w.bearer())
		w.pass(w.bearer())
	})
}

func TestARevokedIdleTokenStaysRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, time.Hour)
		w.pass(w.bearer())
		pass(5 * time.Minute)
		w.pass(w.bearer())
		if touches.count.Load() != 1 {
			t.Fatal("the use was not written: the test would prove nothing")
		}
		_, err := w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: "idle"})
		must(t, err)
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
		must(t, touches.TouchSession(w.ctx, realm, "idle", w.now())) // one that was on its way
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonUnknown)
	})
}

func TestARefusedRequestIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, time.Hour)
		disable(t, w)
		for range 10 {
			pass(5 * time.Minute)
			w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonDisabled)
		}
		if n := touches.count.Load(); n != 0 {
			t.Errorf("%d uses were written", n)
		}
	})
}

func TestTokensWithoutAnIdleTimeWriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, 0)
		for range 100 {
			pass(30 * time.Second)
			w.pass(w.bearer())
		}
		if n := touches.count.Load(); n != 0 {
			t.Errorf("%d uses were written", n)
		}
	})
}

func TestOfManyUsesAtOnceOneIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, time.Hour)
		w.pass(w.bearer())
		for round := range int64(20) {
			pass(2 * time.Minute)
			var load sync.WaitGroup
			for range 50 {
				load.Go(func() { _, _ = w.r.Resolve(w.ctx, realm, w.bearer()) })
			}
			load.Wait()
			if n := touches.count.Load(); n != round+1 {
				t.Fatalf("round %d: %d were written", round, n)
			}
		}
	})
}

// TestAUseThatCannotBeWrittenCountsForNothing, is tried again, but not by every
// request, and the token lives on once the store writes again.
func TestAUseThatCannotBeWrittenCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, 10*time.Minute)
		touches.refuses.Store(true)
		for range 630 * 10 { // 10 minutes and the precision of 30 seconds
			w.pass(w.bearer())
			pass(100 * time.Millisecond)
		}
		if n := touches.count.Load(); n < 590 || n > 610 {
			t.Errorf("%d times it was tried, want once a second", n)
		}
		w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonExpired)

		w, touches = idleWorld(t, 10*time.Minute)
		touches.refuses.Store(true)
		pass(5 * time.Minute)
		w.pass(w.bearer())
		touches.refuses.Store(false)
		pass(5 * time.Minute)
		w.pass(w.bearer())
		pass(10 * time.Minute)
		w.pass(w.bearer())
	})
}

// TestAClockThatJumps neither keeps a token for longer than its idle time by
// that clock, nor ends one that is used.
func TestAClockThatJumps(t *testing.T) {
	for name, c := range map[string]struct {
		jump time.Duration
		ok   bool
	}{
		"past its end":          {10*time.Minute + 30*time.Second, false},
		"by ten years":          {10 * 365 * 24 * time.Hour, false},
		"just short of its end": {10*time.Minute + 30*time.Second - time.Millisecond, true},
		"back by an hour":       {-time.Hour, true},
		"back by five hours":    {-5 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := idleWorld(t, 10*time.Minute)
				w.pass(w.bearer())
				w.clock.Store(int64(c.jump))
				if !c.ok {
					_, err := w.r.Resolve(w.ctx, realm, w.bearer())
					if auth.CodeOf(err) != auth.InvalidCredential {
						t.Fatalf("got %v", err)
					}
					return
				}
				for range 30 { // used all along, by the new clock
					w.pass(w.bearer())
					pass(time.Minute)
				}
				end := max(-c.jump, 0) - 30*time.Minute // what is left until the last use that was written
				pass(max(end, 0) + 10*time.Minute + 30*time.Second)
				w.refuse(w.bearer(), auth.InvalidCredential, auth.ReasonExpired)
			})
		})
	}
}

func TestIdlePrecision(t *testing.T) {
	for idle, want := range map[time.Duration]time.Duration{
		time.Second: time.Second, 20 * time.Second: time.Second, 40 * time.Second: 2 * time.Second, 10 * time.Minute: 30 * time.Second,
		20 * time.Minute: time.Minute, time.Hour: time.Minute, 365 * 24 * time.Hour: time.Minute,
	} {
		if got := authn.IdlePrecision(idle); got != want {
			t.Errorf("%v: %v, want %v", idle, got, want)
		}
	}
}

// TestAnIdleTokenBesideAKeyLivesWhileItIsUsed: the parts of a triple are read
// in another way, and count all the same.
func TestAnIdleTokenBesideAKeyLivesWhileItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, touches := idleWorld(t, time.Hour)
		c := bearer.Credential{Kind: auth.KeyUserToken, Key: w.key, User: "ann", Token: w.token}
		for range 3 {
			pass(59 * time.Minute)
			w.pass(c)
		}
		if n := touches.count.Load(); n != 3 {
			t.Errorf("%d uses were written", n)
		}
	})
}

func TestACachedIdleVerdictTakesNoAllocation(t *testing.T) {
	w := newWorld(t, nil)
	w.token = "ght_idle"
	w.addSession(func(s *store.Session) { s.ID, s.Idle = "idle", time.Hour })
	w.settle()
	c := w.bearer()
	if n := testing.AllocsPerRun(1000, func() { w.pass(c) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
