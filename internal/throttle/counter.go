package throttle

import (
	"slices"
	"time"
)

// verdict is what a counter says to one who wants to try.
type verdict uint8

const (
	begin  verdict = iota // go ahead
	wait                  // somebody who is trying may use up the limit
	refuse                // the limit is used up
)

// counter is what is known of one key. All times are since the clock's start.
type counter struct {
	id     name
	widest *widest
	// fails are the failures that still count, oldest first.
	fails []time.Duration
	// locked is when the limit was used up and lock for how long; a lock of 0
	// is none.
	locked, lock time.Duration
	inflight     int
	waiters      []*waiter

	prev, next *counter // place among the idle; nil while in use
}

// judge says whether another attempt may begin under this limit and, where it
// may not, after how long it may.
func (c *counter) judge(now time.Duration, l Limit) (verdict, time.Duration) {
	c.settle(now)
	if c.lock > 0 {
		return refuse, c.lock - (now - c.locked)
	}
	n := c.within(now, l.Window)
	switch {
	case n >= l.Events:
		return refuse, l.Window - (now - c.fails[len(c.fails)-1])
	case n+c.inflight >= l.Events:
		return wait, 0
	}
	return begin, 0
}

// fail counts a failure now, and locks the key when it was the last allowed.
func (c *counter) fail(now time.Duration, l Limit) {
	c.settle(now)
	c.fails = append(c.fails, now)
	if c.within(now, l.Window) < l.Events {
		return
	}
	if left := c.lock - (now - c.locked); left < l.Window {
		c.locked, c.lock = now, l.Window
	}
}

// forget clears the key, as a success does.
func (c *counter) forget() { c.fails, c.lock = nil, 0 }

// settle drops what no longer counts. A stamp of the future is left from a
// clock that jumped back: it counts as of now, so that nothing outlasts its
// window.
func (c *counter) settle(now time.Duration) {
	for i := len(c.fails) - 1; i >= 0 && c.fails[i] > now; i-- {
		c.fails[i] = now
	}
	c.locked = min(c.locked, now)
	if now-c.locked >= c.lock {
		c.lock = 0
	}
	matter := min(c.within(now, time.Duration(c.widest.window.Load())), int(c.widest.events.Load()))
	c.fails = slices.Delete(c.fails, 0, len(c.fails)-matter)
}

// within counts the failures of the last window. A failure as old as the
// window no longer counts.
func (c *counter) within(now, window time.Duration) int {
	first := slices.IndexFunc(c.fails, func(t time.Duration) bool { return now-t < window })
	if first < 0 {
		return 0
	}
	return len(c.fails) - first
}

// blank reports whether there is nothing to remember. Call settle before.
func (c *counter) blank() bool { return len(c.fails) == 0 && c.lock == 0 }

// used reports whether somebody tries or waits to.
func (c *counter) used() bool { return c.inflight > 0 || len(c.waiters) > 0 }
