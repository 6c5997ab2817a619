package authn

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// staleness says how long the cache may be believed: as long as every feed
// vouches for it.
type staleness struct {
	// until is in Unix nanoseconds.
	until atomic.Int64
	// down says that nothing can be learnt of a feed: the store is out of
	// reach, or that feed is.
	down atomic.Bool

	mu    sync.Mutex
	max   time.Duration
	feeds []*feed
}

// hear notes that a feed showed all that there was at an instant: at by the
// clock that verdicts are read by, steady by one that nobody sets.
func (s *staleness) hear(f *feed, at, steady time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.heard, f.broken = steady, false
	f.until = at.Add(s.max).UnixNano()
	// A wall clock that is set back would make the trust longer. The timer
	// does not see it.
	if f.timer == nil {
		f.timer = time.AfterFunc(s.max, func() { s.expire(f) })
	} else {
		f.timer.Reset(s.max)
	}
	s.settle()
}

// miss notes that nothing could be learnt of a feed.
func (s *staleness) miss(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.broken = true
	s.settle()
}

// expire ends what a feed vouched for.
func (s *staleness) expire(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.until = 0
	s.settle()
}

// settle works out what all feeds together say; the caller holds the lock.
func (s *staleness) settle() {
	until, down := s.feeds[0].until, false
	for _, f := range s.feeds {
		until, down = min(until, f.until), down || f.broken
	}
	s.until.Store(until)
	s.down.Store(down)
}

// limit has the trust last for d; what was vouched for before lasts no longer
// than d from now.
func (s *staleness) limit(d time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = d
	for _, f := range s.feeds {
		f.until = min(f.until, now.Add(d).UnixNano())
		if f.timer != nil {
			f.timer.Reset(d)
		}
	}
	s.settle()
}

// close ends the timers.
func (s *staleness) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.feeds {
		if f.timer != nil {
			f.timer.Stop()
		}
	}
}

// silent returns how long the feed that is silent the longest has been so, and
// false where one was never heard of.
func (s *staleness) silent() (longest time.Duration, heard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.feeds {
		if f.heard.IsZero() {
			return 0, false
		}
		longest = max(longest, time.Since(f.heard))
	}
	return longest, true
}

// SetMaxStaleness changes how long verdicts are trusted while a change feed is
// silent; 0 is the default. A shorter trust holds at once, whatever the feed
// has vouched for before.
func (r *Resolver) SetMaxStaleness(d time.Duration) {
	r.staleness.limit(cmp.Or(d, DefaultMaxStaleness), r.now())
}

// SetGrace changes for how long beyond the trust in the cache a verdict in it
// still counts where the store cannot be asked; 0 is not at all.
func (r *Resolver) SetGrace(d time.Duration) { r.grace.Store(int64(max(d, 0))) }

// spare returns the verdict that was kept where the store is out of reach and
// the grace is not over, else err.
func (r *Resolver) spare(ctx context.Context, k cacheKey, now int64, err error) (*Verdict, error) {
	if ctx.Err() != nil || auth.CodeOf(err) != auth.Unavailable || !r.Knows() {
		return nil, err
	}
	if v := r.cached(ctx, k, now); v != nil {
		return v, nil
	}
	return nil, err
}

// Knows reports whether verdicts in the cache count although the store is out of
// reach: until the trust in them and the grace are over.
func (r *Resolver) Knows() bool {
	silent, heard := r.staleness.silent()
	return heard && silent < r.staleness.bound()+time.Duration(r.grace.Load())
}

// bound returns how long the trust lasts.
func (s *staleness) bound() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.max
}

// patience is how long a lookup may take.
func (r *Resolver) patience() time.Duration {
	if r.staleness.down.Load() {
		return min(outageTimeout, r.timeout)
	}
	return r.timeout
}

// FeedState is how a feed of changes stands.
type FeedState struct {
	// Heard says that it was ever heard of, and Silent how long ago it last
	// showed all that there was.
	Heard  bool
	Silent time.Duration
	// Broken says that the last attempt to follow it failed.
	Broken bool
}

// Feeds returns how each feed stands, in the order of [store.Store.Feeds].
func (r *Resolver) Feeds() []FeedState {
	r.staleness.mu.Lock()
	defer r.staleness.mu.Unlock()
	var all []FeedState
	for _, f := range r.staleness.feeds {
		state := FeedState{Heard: !f.heard.IsZero(), Broken: f.broken}
		if state.Heard {
			state.Silent = time.Since(f.heard)
		}
		all = append(all, state)
	}
	return all
}
