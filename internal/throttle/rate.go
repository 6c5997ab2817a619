package throttle

import (
	"crypto/sha256"
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

const (
	// defaultRates bounds the keys of a Rate, about 600 bytes each.
	defaultRates = 100_000
	// longKey is the length past which a key is kept as its digest, so that
	// every entry is small.
	longKey = 64
)

// Rate limits events per key: never more than the limit in any window, wherever
// the window starts. It is exact for limits of up to 18 events; above that an
// event may count for up to a sixteenth of the window too long, so that a
// caller who uses all of a limit at once may wait that much longer.
//
// It remembers a bounded number of keys. When they are all in use, the one
// unused for longest is forgotten and starts anew. It is safe for concurrent
// use, and asking about a known key allocates nothing.
type Rate struct {
	clock  clock
	seed   maphash.Seed
	shards []rateShard
}

// NewRate returns a limiter of at most maxKeys keys, 0 for 100,000.
func NewRate(now func() time.Time, maxKeys int) *Rate {
	if maxKeys <= 0 {
		maxKeys = defaultRates
	}
	n := shardsFor(maxKeys)
	r := &Rate{clock: newClock(now), seed: maphash.MakeSeed(), shards: make([]rateShard, n)}
	for i := range r.shards {
		r.shards[i].init(maxKeys / n)
	}
	return r
}

// Allow counts an event of key if the limit has room for it. If not, nothing is
// counted and retryAfter is how long until it has: more than 0, not rounded.
// The zero Limit limits nothing. Each limit has a count of its own, so a limit
// that is changed starts anew.
func (r *Rate) Allow(key string, limit Limit) (retryAfter time.Duration, ok bool) {
	if limit.none() {
		return 0, true
	}
	if len(key) > longKey {
		digest := sha256.Sum256([]byte(key))
		key = string(digest[:])
	}
	s := &r.shards[maphash.String(r.seed, key)&uint64(len(r.shards)-1)]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meter(rateKey{key, limit}).allow(r.clock.elapsed(), limit)
}

// Len returns how many keys are remembered.
func (r *Rate) Len() (n int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.meters)
		s.mu.Unlock()
	}
	return n
}

// rateShard holds meters in a ring by use, the one unused for longest after
// the root.
type rateShard struct {
	mu     sync.Mutex
	meters map[rateKey]*meter
	root   meter
	max    int
}

type rateKey struct {
	name  string
	limit Limit
}

// own returns the key with a text of its own: the caller's may be part of a
// large one.
func (k rateKey) own() rateKey { return rateKey{strings.Clone(k.name), k.limit} }

type meter struct {
	runs
	key        rateKey
	prev, next *meter
}

func (s *rateShard) init(bound int) {
	s.meters, s.max = make(map[rateKey]*meter), bound
	s.root.prev, s.root.next = &s.root, &s.root
}

// meter returns the meter of key as the one used last.
func (s *rateShard) meter(key rateKey) *meter {
	m := s.meters[key]
	switch {
	case m != nil:
		m.unlink()
	case len(s.meters) < s.max:
		m = &meter{key: key.own()}
		s.meters[m.key] = m
	default:
		m = s.reuse(key.own())
	}
	m.prev, m.next = s.root.prev, &s.root
	m.prev.next, m.next.prev = m, m
	return m
}

// reuse gives the meter unused for longest to another key.
func (s *rateShard) reuse(key rateKey) *meter {
	m := s.root.next
	m.unlink()
	delete(s.meters, m.key)
	*m = meter{key: key}
	s.meters[key] = m
	return m
}

func (m *meter) unlink() { m.prev.next, m.next.prev = m.next, m.prev }
