package authn

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"

	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// shardCount spreads the lock of go-cache; a power of two.
const shardCount = 64

// cache holds positive verdicts in go-cache. Its janitor cannot be stopped and
// holds its lock for the whole of a sweep, and nothing bounds it: so each
// shard is made without one, is swept here a few keys at a time, and drops its
// oldest verdict when it is full.
type cache struct {
	stamps  *stamps
	shards  [shardCount]shard
	perCell int
	entries atomic.Int64
}

type shard struct {
	mu    sync.Mutex // held to add or drop, never to look up
	items *gocache.Cache
	// order is a ring of the keys as they were added.
	order []cacheKey
	next  int
	swept int
}

// entry is a verdict and what it rests on.
type entry struct {
	verdict *Verdict
	// expires is in Unix nanoseconds. A token with an idle time may end before.
	expires int64
	idle    *idling
	outside *issuer.Key
	// few holds the stamps of a usual verdict beside the rest of it, where
	// they cost no further cache line; more holds the others.
	few  [fewStamps]stamp
	more []stamp
}

// fewStamps is enough for everything, session, account and key.
const fewStamps = 4

func newCache(s *stamps, limit int) *cache {
	c := &cache{stamps: s, perCell: max(1, limit/shardCount)}
	for i := range c.shards {
		c.shards[i].items = gocache.New(gocache.NoExpiration, 0)
	}
	return c
}

func (c *cache) shard(k cacheKey) *shard { return &c.shards[k[0]%shardCount] }

// get returns a verdict that still holds and what it rests on, or nil.
func (c *cache) get(k cacheKey, now int64) *entry {
	found, ok := c.shard(k).items.Get(string(k[:]))
	if !ok {
		return nil
	}
	e := found.(*entry)
	if !c.holds(e, now) {
		return nil
	}
	return e
}

func (c *cache) holds(e *entry, now int64) bool {
	if now >= e.expires || e.idle != nil && !e.idle.live(now) {
		return false
	}
	if e.outside != nil && !e.outside.Holds(now) {
		return false
	}
	for i := range e.few {
		if !c.stamps.current(e.few[i]) {
			return false
		}
	}
	for _, m := range e.more {
		if !c.stamps.current(m) {
			return false
		}
	}
	return true
}

// put adds a verdict that was looked up since gen was read, unless anything
// has changed since. The stamps are read before gen is compared, and a change
// moves gen before it moves its stamp: so either the change is seen here, or
// the stamps that were read are void when it is done.
func (c *cache) put(k cacheKey, v *Verdict, tags []tag, gen uint64) {
	e := &entry{verdict: v, idle: v.idle, outside: v.outside, expires: math.MaxInt64}
	for i := range e.few { // those that are not needed hold what all hold
		e.few[i] = c.stamps.read(tag{kind: store.AllChanged})
	}
	if !v.Principal.Expires.IsZero() {
		e.expires = v.Principal.Expires.UnixNano()
	}
	for i, t := range tags {
		if i < fewStamps {
			e.few[i] = c.stamps.read(t)
			continue
		}
		e.more = append(e.more, c.stamps.read(t))
	}
	if c.stamps.gen.Load() != gen {
		return
	}
	c.add(k, e)
}

func (c *cache) add(k cacheKey, e *entry) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.items.Get(string(k[:])); ok {
		s.items.Set(string(k[:]), e, gocache.NoExpiration)
		return
	}
	if len(s.order) < c.perCell {
		s.order = append(s.order, k)
	} else {
		c.drop(s, s.order[s.next])
		s.order[s.next] = k
		s.next = (s.next + 1) % len(s.order)
	}
	s.items.Set(string(k[:]), e, gocache.NoExpiration)
	c.entries.Add(1)
}

// drop removes a key; the caller holds the shard.
func (c *cache) drop(s *shard, k cacheKey) {
	if _, ok := s.items.Get(string(k[:])); !ok {
		return
	}
	s.items.Delete(string(k[:]))
	c.entries.Add(-1)
}

// sweepStep is how many keys of one shard are looked at under its lock: about
// a tenth of a millisecond.
const sweepStep = 256

// sweep looks at a few keys of every shard and drops what no longer holds.
func (c *cache) sweep(now time.Time) {
	for i := range c.shards {
		c.sweepShard(&c.shards[i], now.UnixNano())
	}
}

func (c *cache) sweepShard(s *shard, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range min(sweepStep, len(s.order)) {
		s.swept = (s.swept + 1) % len(s.order)
		k := s.order[s.swept]
		found, ok := s.items.Get(string(k[:]))
		if ok && !c.holds(found.(*entry), now) {
			c.drop(s, k)
		}
	}
}
