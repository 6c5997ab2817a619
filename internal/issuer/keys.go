package issuer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	// Refresh is how often an issuer in use is asked for its keys: for twice
	// as long at most a key that it withdrew still counts.
	Refresh = 5 * time.Minute
	// MaxStale is how long the last keys count while the issuer is down.
	MaxStale = 24 * time.Hour
	// CoolDown is the least time between two attempts, whoever asks: a burst of
	// made-up kids must not become a burst of requests.
	CoolDown = 10 * time.Second
	// FailCoolDown is the same after an attempt that failed.
	FailCoolDown = 2 * time.Second
	// patience is how long a request waits for an issuer. The attempt goes on
	// without it.
	patience = 3 * time.Second
)

// Keys are the keys of one source. Nobody who asks for them fetches them: that
// is done beside, once for all who wait.
type Keys struct {
	source Source
	pool   *Pool
	set    atomic.Pointer[set]     // the last that was read, nil before the first
	last   atomic.Pointer[attempt] // the last that ended
	mu     sync.Mutex
	flight *flight // nil while nobody fetches
}

// attempt is how asking the issuer ended, at a time in Unix nanoseconds.
type attempt struct {
	at  int64
	err error
}

type flight struct {
	done chan struct{}
	err  error
}

// within reports whether less than bound has passed since at. A clock that was
// set back makes that negative, which is not.
func within(now, at int64, bound time.Duration) bool {
	return now >= at && now-at < int64(bound)
}

// vouches reports whether the keys that are held may be relied on without
// asking: they are not too old, and somebody asked for them of late.
func (k *Keys) vouches(now int64) bool {
	s, last := k.set.Load(), k.last.Load()
	return s != nil && last != nil && within(now, s.read, MaxStale) && within(now, last.at, 2*Refresh)
}

// use begins an attempt where one is due.
func (k *Keys) use(now int64) {
	last := k.last.Load()
	if last != nil && within(now, last.at, last.rest()) {
		return
	}
	k.begin()
}

// rest is how long after an attempt the next is due where nobody waits for it.
func (a *attempt) rest() time.Duration {
	if a.err != nil {
		return CoolDown
	}
	return Refresh
}

// coolDown is how long after an attempt there is no other.
func (a *attempt) coolDown() time.Duration {
	if a.err != nil {
		return FailCoolDown
	}
	return CoolDown
}

// current returns the keys. It waits for the issuer only where there are none
// to rely on; while it is down, the last ones count up to [MaxStale].
func (k *Keys) current(ctx context.Context) (*set, error) {
	now := k.pool.now().UnixNano()
	if k.vouches(now) {
		k.use(now)
		return k.set.Load(), nil
	}
	s, err := k.again(ctx)
	if err == nil {
		return s, nil
	}
	if old := k.set.Load(); old != nil && within(now, old.read, MaxStale) {
		return old, nil
	}
	return nil, err
}

// missing returns the keys anew for a token that names none of those in seen.
func (k *Keys) missing(ctx context.Context, seen *set) (*set, error) {
	if s := k.set.Load(); s != seen {
		return s, nil
	}
	return k.again(ctx)
}

// again asks the issuer and waits, no longer than its patience. Within the
// cool-down it returns what the last attempt gave.
func (k *Keys) again(ctx context.Context) (*set, error) {
	f, last := k.begin()
	if f == nil {
		return k.outcome(last.err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
		return k.outcome(f.err)
	case <-timer.C:
		return nil, auth.Fail(auth.Unavailable, auth.ReasonIssuer, context.DeadlineExceeded)
	case <-ctx.Done():
		return nil, auth.Fail(auth.Unavailable, auth.ReasonTimeout, ctx.Err())
	}
}

func (k *Keys) outcome(err error) (*set, error) {
	if err == nil {
		return k.set.Load(), nil
	}
	e := auth.Fail(auth.Unavailable, auth.ReasonIssuer, err)
	e.RetryAfter = FailCoolDown
	return nil, e
}

// begin returns the attempt that is under way, which it starts where there is
// none, or the last one while it cools down.
func (k *Keys) begin() (*flight, *attempt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight, nil
	}
	last := k.last.Load()
	if last != nil && within(k.pool.now().UnixNano(), last.at, last.coolDown()) {
		return nil, last
	}
	f := &flight{done: make(chan struct{})}
	if !k.pool.start(func() { k.run(f) }) {
		return nil, &attempt{err: errClosed}
	}
	k.flight = f
	return f, nil
}

// run is one attempt. A panic is a failed one: it would end the process.
func (k *Keys) run(f *flight) {
	began := k.pool.now()
	ctx, cancel := context.WithTimeout(k.pool.ctx, fetchTimeout)
	defer cancel()
	var next *set
	func() {
		defer func() {
			if p := recover(); p != nil {
				f.err = auth.Panicked(p)
			}
		}()
		next, f.err = k.source.fetch(ctx, k.pool.client, began)
	}()
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.err == nil {
		k.take(next)
	}
	k.last.Store(&attempt{k.pool.now().UnixNano(), f.err})
	k.flight = nil
	close(f.done)
}

// take makes a set the one that counts. What rests on a key that is not in it
// is void from here on.
func (k *Keys) take(next *set) {
	for _, key := range next.keys {
		key.keys = k
	}
	old := k.set.Load()
	next.adopt(old)
	k.set.Store(next)
}
