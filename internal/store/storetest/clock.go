package storetest

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// clock is time that moves when it is told to. It starts at the real time, for
// the engines that also have an expiry of their own.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: store.Precise(time.Now())} }

// Now is what the store under test reads.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// set moves the clock to an instant.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// after returns the instant d from now.
func (c *clock) after(d time.Duration) store.Time { return c.Now().Add(d) }
