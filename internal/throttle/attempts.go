package throttle

import (
	"context"
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	// defaultUnknown bounds the names of nobody, about 300 bytes each.
	defaultUnknown = 100_000
	// maxWaiting bounds who waits for one key. Past it the caller is told to
	// come back: it stops a flood on one name from holding requests for as
	// long as it likes.
	maxWaiting = 256
	// sweepStep is how many counters a call looks at to drop the old ones. It
	// adds at most one, so the sweep always gains.
	sweepStep = 4
)

// Key is whom an attempt is counted for.
type Key struct {
	// Name tells keys apart: all spellings of an account have to come as one.
	Name string
	// Known is set for an account that exists. Its counter is never given up
	// while it counts. All others share a bounded room, where the one unused
	// for longest makes way: guessing names cannot fill the memory, and since
	// nobody stands behind those names, nothing is lost. Both are counted and
	// refused alike.
	Known bool
}

// Attempts counts failed logins. It is safe for concurrent use.
type Attempts struct {
	clock  clock
	seed   maphash.Seed
	widest widest
	shards []attemptShard
}

type attemptShard struct {
	mu             sync.Mutex
	known, unknown *pool
}

// NewAttempts returns a counter that remembers at most maxUnknown keys that
// are not known, 0 for 100,000.
func NewAttempts(now func() time.Time, maxUnknown int) *Attempts {
	if maxUnknown <= 0 {
		maxUnknown = defaultUnknown
	}
	n := shardsFor(maxUnknown)
	a := &Attempts{clock: newClock(now), seed: maphash.MakeSeed(), shards: make([]attemptShard, n)}
	for i := range a.shards {
		a.shards[i].known, a.shards[i].unknown = newPool(0, &a.widest), newPool(maxUnknown/n, &a.widest)
	}
	return a
}

// Begin asks whether another attempt on key may be made. It must be asked
// before any work is done, and every [Attempt] that it returns must be ended.
//
// After limit.Events failures within limit.Window the key is refused until
// limit.Window after the last of them: [auth.Throttled] with the time to wait.
// A refused attempt counts for nothing and lengthens nothing.
//
// Failures and attempts under way are never more than limit.Events together:
// one that could go past waits until another ends. So guessing in parallel
// gains nothing, and any number of good logins at once get through.
// [auth.Unavailable] when ctx ends first or too many wait already.
//
// Blocks with different limits may share a key: each is judged by its own
// limit, and the lock that one sets holds for all. The zero Limit is
// [DefaultAttempts]. Whoever takes two keys at once must take the kinds in one
// order, the client's own (its address) first: so nobody waits in a circle,
// and a flood from one address waits for itself.
func (a *Attempts) Begin(ctx context.Context, key Key, limit Limit) (*Attempt, error) {
	if limit.none() {
		limit = DefaultAttempts
	}
	if err := ctx.Err(); err != nil {
		return nil, interrupted(err)
	}
	a.widest.include(limit)
	t := &Attempt{clock: a.clock, shard: a.shard(key.Name), limit: limit}
	t.pool = t.shard.pool(key.Known)
	w, err := t.enter(sha256.Sum256([]byte(key.Name)))
	if w != nil {
		err = t.await(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Sweep looks at up to steps of the oldest counters of each part and drops
// those that no longer count. Calls of Begin do the same in passing, so it is
// only needed to give memory back while nobody logs in.
func (a *Attempts) Sweep(steps int) {
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		s.sweep(a.clock.elapsed(), steps)
		s.mu.Unlock()
	}
}

// Len returns how many keys are remembered.
func (a *Attempts) Len() (known, unknown int) {
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		known += len(s.known.counters)
		unknown += len(s.unknown.counters)
		s.mu.Unlock()
	}
	return known, unknown
}

// shard is chosen with a secret seed, so that nobody can pick names that crowd
// one part.
func (a *Attempts) shard(name string) *attemptShard {
	return &a.shards[maphash.String(a.seed, name)&uint64(len(a.shards)-1)]
}

func (s *attemptShard) pool(known bool) *pool {
	if known {
		return s.known
	}
	return s.unknown
}

func (s *attemptShard) sweep(now time.Duration, steps int) {
	s.known.sweep(now, steps)
	s.unknown.sweep(now, steps)
}

func refused(retry time.Duration) *auth.Error {
	return &auth.Error{Code: auth.Throttled, Reason: auth.ReasonAttempts, RetryAfter: wholeSeconds(retry)}
}

func interrupted(cause error) *auth.Error {
	return &auth.Error{Code: auth.Unavailable, Reason: auth.ReasonTimeout, RetryAfter: time.Second, Err: cause}
}
