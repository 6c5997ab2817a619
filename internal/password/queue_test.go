package password

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// slow returns a Hasher whose hashes take d and which notes how many ran at
// once at most.
func slow(o Options, d time.Duration) (h *Hasher, most *atomic.Int32) {
	h, most = New(o), new(atomic.Int32)
	var running atomic.Int32
	h.check = func(hash, []byte) bool {
		n := running.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-time.After(d)
		running.Add(-1)
		return false
	}
	return h, most
}

// occupy starts n hashes and returns what waits for them to end.
func occupy(t *testing.T, h *Hasher, n int) (wait func()) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() { _ = h.Decoy(t.Context(), auth.NewSecret("another")) })
	}
	synctest.Wait()
	return all.Wait
}

func mustTurnAway(t *testing.T, err error, reason auth.Reason, retry time.Duration) {
	t.Helper()
	failure := auth.AsError(err)
	if failure == nil || failure.Code != auth.Unavailable || failure.Reason != reason || failure.RetryAfter != retry {
		t.Errorf("error = %#v, want unavailable, %s, retry after %v", failure, reason, retry)
	}
}

func TestQueue(t *testing.T) {
	pw := auth.NewSecret("secret")
	t.Run("no more hashes run at once than configured, and all who wait are served", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, most := slow(Options{Parallel: 3, Wait: time.Hour}, 40*time.Millisecond)
			start := time.Now()
			var all sync.WaitGroup
			for range 30 {
				all.Go(func() {
					if err := h.Decoy(t.Context(), pw); err != nil {
						t.Errorf("Decoy: %v", err)
					}
				})
			}
			all.Wait()
			if most.Load() != 3 || time.Since(start) != 400*time.Millisecond || h.Waiting() != 0 {
				t.Errorf("%d at once in %v with %d left, want 3 in 400ms with none", most.Load(), time.Since(start), h.Waiting())
			}
		})
	})
	t.Run("one who waited too long is turned away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := slow(Options{Parallel: 1, Wait: 1500 * time.Millisecond}, time.Hour)
			defer occupy(t, h, 1)()
			start := time.Now()
			_, _, err := h.Verify(t.Context(), auth.Secret{}, pw)
			mustTurnAway(t, err, auth.ReasonQueue, 2*time.Second)
			if waited := time.Since(start); waited != 1500*time.Millisecond {
				t.Errorf("waited %v, want 1.5s", waited)
			}
		})
	})
	t.Run("a full queue turns away at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := slow(Options{Parallel: 1, Queue: 2, Wait: time.Minute}, time.Second)
			defer occupy(t, h, 3)()
			start := time.Now()
			_, err := h.Make(t.Context(), pw)
			mustTurnAway(t, err, auth.ReasonQueue, time.Minute)
			if waited := time.Since(start); waited != 0 {
				t.Errorf("waited %v, want not at all", waited)
			}
		})
	})
	t.Run("a short wait still says a whole second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := slow(Options{Parallel: 1, Wait: time.Millisecond}, time.Second)
			defer occupy(t, h, 1)()
			mustTurnAway(t, h.Decoy(t.Context(), pw), auth.ReasonQueue, time.Second)
		})
	})
	t.Run("a context that ends while waiting gives the place up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := slow(Options{Parallel: 1, Wait: 2 * time.Second}, 500*time.Millisecond)
			defer occupy(t, h, 1)()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := h.Decoy(ctx, pw)
			mustTurnAway(t, err, auth.ReasonTimeout, 2*time.Second)
			if !errors.Is(err, context.DeadlineExceeded) || h.Waiting() != 0 {
				t.Errorf("error %v with %d waiting, want the deadline with none", err, h.Waiting())
			}
			if err := h.Decoy(t.Context(), pw); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	})
	t.Run("a context that has ended does no work", func(t *testing.T) {
		h := New(cheap)
		w := watch(h)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := h.Verify(ctx, auth.Secret{}, pw)
		mustTurnAway(t, err, auth.ReasonTimeout, 2*time.Second)
		if len(w.done) != 0 {
			t.Errorf("work = %v, want none", w.done)
		}
	})
	t.Run("the watcher hears of every change, in order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var heard []int
			h, _ := slow(Options{Parallel: 1, OnQueue: func(n int) { heard = append(heard, n) }}, 100*time.Millisecond)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _ = h.Decoy(t.Context(), pw) })
			}
			all.Wait()
			if fmt.Sprint(heard) != "[1 2 3 2 1 0]" {
				t.Errorf("heard %v, want [1 2 3 2 1 0]", heard)
			}
		})
	})
	t.Run("who came first is served first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := slow(Options{Parallel: 1}, 10*time.Millisecond)
			var order []int
			var mu sync.Mutex
			var all sync.WaitGroup
			for i := range 5 {
				all.Go(func() {
					if err := h.Decoy(t.Context(), pw); err != nil {
						t.Errorf("Decoy: %v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
				})
				synctest.Wait()
			}
			all.Wait()
			if fmt.Sprint(order) != "[0 1 2 3 4]" {
				t.Errorf("order = %v, want [0 1 2 3 4]", order)
			}
		})
	})
}
