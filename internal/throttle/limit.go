package throttle

import (
	"sync/atomic"
	"time"
)

// Limit is a number of events in a window of time.
type Limit struct {
	Events int
	Window time.Duration
}

// DefaultAttempts is the limit of failed logins where none is given.
var DefaultAttempts = Limit{Events: 5, Window: 5 * time.Minute}

// none reports whether the limit limits nothing.
func (l Limit) none() bool { return l.Events < 1 || l.Window <= 0 }

// widest is the most events and the longest window of all limits that were
// asked about: no more failures of a key than that, and no older ones, can make
// a difference to any of them.
type widest struct{ events, window atomic.Int64 }

func (w *widest) include(l Limit) {
	raise(&w.events, int64(l.Events))
	raise(&w.window, int64(l.Window))
}

func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); to > old; old = v.Load() {
		if v.CompareAndSwap(old, to) {
			return
		}
	}
}

// clock counts time from its start, so that a stamp is one word and its
// differences are monotonic where the readings are.
type clock struct {
	now   func() time.Time
	start time.Time
}

func newClock(now func() time.Time) clock { return clock{now: now, start: now()} }

func (c clock) elapsed() time.Duration { return c.now().Sub(c.start) }

// wholeSeconds rounds up to what Retry-After can say (RFC 9110 section
// 10.2.3), at least one second.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}

// The state is split by key, so that callers of different keys rarely meet at
// one lock. A small bound is split less: each part has to hold enough for the
// oldest of the part to be about the oldest of all.
const (
	maxShards = 64
	minShard  = 256
)

// shardsFor returns into how many parts to split n entries: a power of two.
func shardsFor(n int) int {
	shards := 1
	for shards < maxShards && n/(shards*2) >= minShard {
		shards *= 2
	}
	return shards
}
