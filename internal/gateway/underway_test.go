package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheStoreStaysOpenForRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Site{underway: &underway{}}
		s.begin().end() // not bound: nothing is counted
		s.underway.drain(drainTime)
		s.ready.Store(true)
		for _, c := range []struct{ takes, waits time.Duration }{{0, 0}, {time.Second, time.Second}, {time.Minute, drainTime}} {
			began := time.Now()
			under := s.begin()
			if c.takes == 0 {
				under.end()
			} else {
				time.AfterFunc(c.takes, under.end)
			}
			s.underway.drain(drainTime)
			if waited := time.Since(began); waited < c.waits || waited > c.waits+drainPause {
				t.Errorf("for a request of %v it waits %v, want %v", c.takes, waited, c.waits)
			}
			<-time.After(c.takes)
			synctest.Wait()
			if n := s.underway.n.Load(); n != 0 {
				t.Errorf("%d requests are counted", n)
			}
		}
	})
}
