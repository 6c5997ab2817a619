// Package clock tells the time by which tokens come to their end.
//
// The clock of a machine can be set. Forward, tokens end early and their owners
// log in again: that is believed at once. Back, what has expired would count
// again and everything else would live longer by as much: so a [Steady] clock
// goes on from where it was, by the time that passes and not by the time that
// is told, until the machine's clock has caught up or the process starts anew.
package clock

import (
	"sync/atomic"
	"time"
)

// Steady is a clock that never goes back. Its times carry Go's monotonic
// reading wherever the machine's do.
type Steady struct {
	read   func() (told, passed time.Time)
	behind func(time.Duration)
	// anchor is a time that was believed, the latest that the machine told.
	anchor atomic.Pointer[anchor]
	// warned says that behind was told.
	warned atomic.Bool
}

// anchor is what was told and what a clock that nobody sets showed then.
type anchor struct{ told, passed time.Time }

// most is how far the machine's clock may fall behind before anyone is told:
// small corrections are usual.
const most = 2 * time.Second

// New returns a steady clock over the machine's. behind is told how far that was
// set back, where it is more than two seconds: once, from any goroutine, until it
// has caught up. nil is nobody.
func New(behind func(time.Duration)) *Steady {
	return Over(func() (told, passed time.Time) { t := time.Now(); return t, t }, behind)
}

// Over returns a steady clock over a machine's clock that read tells: the time
// that it says, and one that nobody sets. behind is as in [New].
func Over(read func() (told, passed time.Time), behind func(time.Duration)) *Steady {
	s := &Steady{read: read, behind: behind}
	told, passed := read()
	s.anchor.Store(&anchor{told, passed})
	return s
}

// Now returns the time.
func (s *Steady) Now() time.Time {
	for {
		a := s.anchor.Load()
		told, passed := s.read()
		believed := a.told.Add(passed.Sub(a.passed))
		switch ahead := told.UnixNano() - believed.UnixNano(); {
		case ahead == 0:
			return told
		case ahead < 0:
			s.warn(time.Duration(-ahead))
			return believed
		}
		if s.anchor.CompareAndSwap(a, &anchor{told, passed}) {
			s.warned.Store(false)
			return told
		}
	}
}

func (s *Steady) warn(by time.Duration) {
	if by > most && s.behind != nil && s.warned.CompareAndSwap(false, true) {
		s.behind(by)
	}
}
