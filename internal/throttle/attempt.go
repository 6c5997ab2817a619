package throttle

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Attempt is one attempt under way. It is ended by exactly one of its methods,
// the first that is called; the others then do nothing, so that Release can be
// deferred.
type Attempt struct {
	clock   clock
	shard   *attemptShard
	pool    *pool
	counter *counter
	limit   Limit
	ended   bool // guarded by shard.mu
}

// Succeed ends the attempt and clears the key: its failures are forgotten. It
// is for the key of an account; on a key that many accounts share, such as an
// address, a success is a [Attempt.Release], or one own account would clear
// the guesses at all others.
func (t *Attempt) Succeed() {
	t.end(func(time.Duration) { t.counter.forget() })
}

// Fail ends the attempt and counts it as a failure.
func (t *Attempt) Fail() {
	t.end(func(now time.Duration) { t.counter.fail(now, t.limit) })
}

// Release ends the attempt and counts nothing: it was malformed, or the fault
// was ours.
func (t *Attempt) Release() {
	t.end(func(time.Duration) {})
}

func (t *Attempt) end(count func(now time.Duration)) {
	t.shard.mu.Lock()
	defer t.shard.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	t.leave(count)
}

// leave gives the place up and lets in whoever may have it. The caller holds
// the shard.
func (t *Attempt) leave(count func(now time.Duration)) {
	now := t.clock.elapsed()
	t.counter.inflight--
	count(now)
	t.counter.wake(now)
	t.pool.rest(t.counter, now)
}

// waiter is one who waits for an attempt on the same key to end.
type waiter struct {
	limit Limit
	// answer gets nil when the place is theirs, and has room for it, so that
	// whoever gives it never blocks.
	answer chan error
}

var errCrowd = errors.New("too many wait for one key")

// enter takes a place, or a place in the queue.
func (t *Attempt) enter(id name) (*waiter, error) {
	t.shard.mu.Lock()
	defer t.shard.mu.Unlock()
	now := t.clock.elapsed()
	t.shard.sweep(now, sweepStep)
	t.counter = t.pool.take(id)
	verdict, retry := t.counter.judge(now, t.limit)
	switch {
	case verdict == refuse:
		return nil, refused(retry)
	case verdict == wait && len(t.counter.waiters) >= maxWaiting:
		return nil, &auth.Error{Code: auth.Unavailable, Reason: auth.ReasonQueue, RetryAfter: time.Second, Err: errCrowd}
	case verdict == wait:
		w := &waiter{limit: t.limit, answer: make(chan error, 1)}
		t.counter.waiters = append(t.counter.waiters, w)
		return w, nil
	}
	t.pool.hold(t.counter)
	t.counter.inflight++
	return nil, nil
}

// await returns nil once the place is taken.
func (t *Attempt) await(ctx context.Context, w *waiter) error {
	select {
	case err := <-w.answer:
		return err
	case <-ctx.Done():
	}
	t.shard.mu.Lock()
	defer t.shard.mu.Unlock()
	if i := slices.Index(t.counter.waiters, w); i >= 0 {
		t.counter.waiters = slices.Delete(t.counter.waiters, i, i+1)
	} else if err := <-w.answer; err == nil {
		t.leave(func(time.Duration) {}) // the place came as the context ended
	}
	return interrupted(ctx.Err())
}

// wake answers those who wait, in order, as far as the limit is decided.
func (c *counter) wake(now time.Duration) {
	for len(c.waiters) > 0 {
		w := c.waiters[0]
		verdict, retry := c.judge(now, w.limit)
		switch verdict {
		case wait:
			return
		case begin:
			c.inflight++
			w.answer <- nil
		case refuse:
			w.answer <- refused(retry)
		}
		c.waiters = slices.Delete(c.waiters, 0, 1)
	}
}
