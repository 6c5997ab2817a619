package throttle

import (
	"crypto/sha256"
	"time"
)

// name is the SHA-256 of a key's name: every entry is of one small size,
// whatever a caller typed.
type name [sha256.Size]byte

// pool holds counters. Those that nobody uses stand in a ring by the time they
// were last used, oldest after the root; those in use are in no ring, so that
// nothing removes them.
type pool struct {
	counters map[name]*counter
	idle     counter // the root of the ring
	max      int     // 0 for no bound
	widest   *widest
}

func newPool(bound int, w *widest) *pool {
	p := &pool{counters: make(map[name]*counter), max: bound, widest: w}
	p.idle.prev, p.idle.next = &p.idle, &p.idle
	return p
}

// take returns the counter of a key, a new one where there is none. A pool at
// its bound drops the one idle for longest to make room.
func (p *pool) take(id name) *counter {
	if c := p.counters[id]; c != nil {
		return c
	}
	if oldest := p.idle.next; p.max > 0 && len(p.counters) >= p.max && oldest != &p.idle {
		p.drop(oldest)
	}
	c := &counter{id: id, widest: p.widest}
	p.counters[id] = c
	return c
}

// hold takes a counter out of the idle.
func (p *pool) hold(c *counter) {
	if c.next == nil {
		return
	}
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
}

// rest puts a counter that nobody uses among the idle, or drops it when it has
// nothing to remember.
func (p *pool) rest(c *counter, now time.Duration) {
	if c.used() || c.next != nil {
		return
	}
	c.settle(now)
	if c.blank() {
		delete(p.counters, c.id)
		return
	}
	c.prev, c.next = p.idle.prev, &p.idle
	c.prev.next, c.next.prev = c, c
}

func (p *pool) drop(c *counter) {
	p.hold(c)
	delete(p.counters, c.id)
}

// sweep looks at the oldest idle counters, at most steps, and drops those that
// no longer count. It stops at the first that does.
func (p *pool) sweep(now time.Duration, steps int) {
	for range steps {
		c := p.idle.next
		if c == &p.idle {
			return
		}
		if c.settle(now); !c.blank() {
			return
		}
		p.drop(c)
	}
}
