package reach

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// server is one that a test takes away.
type server struct {
	silent atomic.Bool
	// shut is one that says so at once.
	shut   atomic.Bool
	probes atomic.Int64
	backs  atomic.Int64
	// under is how many probes are under way, most how many there ever were.
	under, most atomic.Int64
}

var errSilent = errors.New("no answer")

func (s *server) probe(ctx context.Context) error {
	s.probes.Add(1)
	s.most.Store(max(s.most.Load(), s.under.Add(1)))
	defer s.under.Add(-1)
	if s.silent.Load() {
		<-ctx.Done()
	}
	if s.silent.Load() || s.shut.Load() {
		return errSilent
	}
	return nil
}

const (
	probeWait  = 500 * time.Millisecond
	probePause = 100 * time.Millisecond
)

// bubble runs do with a server and its Reach, on a clock of its own. That ends
// with an error where a goroutine is left.
func bubble(t *testing.T, do func(*testing.T, *server, *Reach)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		r := New(Options{Probe: s.probe, Wait: probeWait, Pause: probePause, Back: func() { s.backs.Add(1) }})
		defer r.Close()
		do(t, s, r)
	})
}

// pass lets time go by, and whoever waits for it act.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestADoubtThatIsAnsweredHoldsUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		ctx, cancel := r.Bounded(t.Context(), time.Hour)
		defer cancel()
		if !r.Doubt() {
			t.Error("nobody asks the server")
		}
		pass(time.Minute)
		if err := errors.Join(r.Check(), ctx.Err()); err != nil || s.probes.Load() != 1 || s.backs.Load() != 0 {
			t.Errorf("after %d probes it is back %d times: %v", s.probes.Load(), s.backs.Load(), err)
		}
	})
}

func TestASilentServerIsOutOfReachOnceAProbeHadItsTime(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		s.silent.Store(true)
		ctx, cancel := r.Bounded(t.Context(), time.Hour)
		defer cancel()
		r.Doubt()
		pass(probeWait - time.Millisecond)
		if err := errors.Join(r.Check(), ctx.Err()); err != nil {
			t.Fatalf("it is given up too early: %v", err)
		}
		pass(time.Millisecond)
		if err := r.Check(); !errors.Is(err, errSilent) || !strings.HasPrefix(err.Error(), "the server is out of reach: ") {
			t.Errorf("calls are let through: %v", err)
		}
		if ctx.Err() == nil {
			t.Error("who waits goes on waiting")
		}
		late, cancelLate := r.Bounded(t.Context(), time.Hour)
		defer cancelLate()
		synctest.Wait()
		if late.Err() == nil {
			t.Error("who comes later waits")
		}
	})
}

func TestAServerThatIsBackIsToldAndUsedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		s.silent.Store(true)
		r.Doubt()
		pass(time.Minute)
		if n := s.probes.Load(); n < 100 || n > 121 { // one each half second, at once after that
			t.Errorf("it was asked %d times in a minute", n)
		}
		s.silent.Store(false)
		pass(probeWait + probePause)
		if err := r.Check(); err != nil || s.backs.Load() != 1 {
			t.Fatalf("it is told %d times that it is back: %v", s.backs.Load(), err)
		}
		ctx, cancel := r.Bounded(t.Context(), time.Second)
		defer cancel()
		pass(time.Second - time.Millisecond)
		if ctx.Err() != nil {
			t.Error("a new call ends with the old outage")
		}
		pass(time.Millisecond)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("it does not end at its time: %v", ctx.Err())
		}
		asked := s.probes.Load()
		pass(time.Minute)
		if s.probes.Load() != asked {
			t.Error("it is asked without a doubt")
		}
		s.silent.Store(true)
		r.Doubt()
		pass(probeWait)
		if r.Check() == nil {
			t.Error("a second outage goes unnoticed")
		}
	})
}

func TestAServerThatRefusesAtOnceIsNotAskedWithoutAPause(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		s.shut.Store(true)
		r.Doubt()
		pass(time.Second - time.Millisecond)
		if n := s.probes.Load(); n != int64(time.Second/probePause) || r.Check() == nil {
			t.Errorf("it was asked %d times in a second: %v", n, r.Check())
		}
	})
}

func TestAThousandDoubtsAreOneProbe(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		s.silent.Store(true)
		for range 1000 {
			r.Doubt()
		}
		pass(10 * time.Second)
		for range 1000 {
			if r.Doubt() {
				t.Fatal("a doubt began another probe")
			}
		}
		pass(10 * time.Second)
		if s.most.Load() != 1 {
			t.Errorf("%d probes were under way at once", s.most.Load())
		}
	})
}

func TestWhatIsRefusedIsRefusedUntilAProbeIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		s.silent.Store(true)
		errOther := errors.New("its schema is another")
		r.Refuse(errOther)
		if err := r.Check(); !errors.Is(err, errOther) {
			t.Errorf("it is let through: %v", err)
		}
		s.silent.Store(false)
		pass(probeWait + probePause)
		if err := r.Check(); err != nil || s.backs.Load() != 1 {
			t.Errorf("it is still refused: %v", err)
		}
	})
}

func TestAClosedReachAsksNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		r.Close()
		if r.Doubt() || s.probes.Load() != 0 {
			t.Error("it probes after its end")
		}
	})
}

func TestAProbeEndsWithTheReach(t *testing.T) {
	bubble(t, func(t *testing.T, s *server, r *Reach) {
		s.silent.Store(true)
		r.Doubt()
		pass(time.Second)
		r.Close()
		asked, under := s.probes.Load(), s.under.Load()
		pass(time.Minute)
		if s.probes.Load() != asked || under != 0 {
			t.Errorf("%d probes were under way at the end, and %d came after it", under, s.probes.Load()-asked)
		}
	})
}
