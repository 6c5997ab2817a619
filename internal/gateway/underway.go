package gateway

import (
	"sync/atomic"
	"time"
)

// drainTime is how long the store stays open for requests that are under way
// when no configuration needs it any more: a server that was replaced goes on
// with them, and a login takes as long as its password is hashed.
const drainTime = 5 * time.Second

// drainPause is how often they are counted.
const drainPause = 5 * time.Millisecond

// underway counts the requests that may need the store. nil counts none.
type underway struct{ n atomic.Int64 }

// begin counts a request until [underway.end]. A guard that is not bound needs
// no store.
func (s *Site) begin() *underway {
	if !s.ready.Load() || s.underway == nil {
		return nil
	}
	s.underway.n.Add(1)
	return s.underway
}

func (u *underway) end() {
	if u != nil {
		u.n.Add(-1)
	}
}

// drain waits until there are none.
func (u *underway) drain(atMost time.Duration) {
	if u.n.Load() == 0 {
		return
	}
	late := time.NewTimer(atMost)
	defer late.Stop()
	pause := time.NewTicker(drainPause)
	defer pause.Stop()
	for u.n.Load() > 0 {
		select {
		case <-late.C:
			return
		case <-pause.C:
		}
	}
}
