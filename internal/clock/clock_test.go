package clock

import (
	"sync"
	"testing"
	"time"
)

// machine is a machine's clock that can be set.
type machine struct {
	mu     sync.Mutex
	start  time.Time
	passed time.Duration
	set    time.Duration
}

func (m *machine) read() (told, passed time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.start.Add(m.passed + m.set), m.start.Add(m.passed)
}

func (m *machine) pass(d time.Duration) { m.mu.Lock(); m.passed += d; m.mu.Unlock() }
func (m *machine) jump(d time.Duration) { m.mu.Lock(); m.set += d; m.mu.Unlock() }

func newMachine() *machine { return &machine{start: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)} }

func TestASteadyClockNeverGoesBack(t *testing.T) {
	type step struct{ jump, pass, want time.Duration }
	for _, c := range []struct {
		name  string
		steps []step
		told  int
	}{
		{"it follows one that nobody sets", []step{{0, time.Hour, time.Hour}, {0, time.Minute, time.Hour + time.Minute}}, 0},
		{"it goes on where that is set back by an hour", []step{{-time.Hour, time.Minute, time.Minute}, {0, time.Hour, time.Hour + time.Minute}}, 1},
		{"and where that is set back by ten years", []step{{-87600 * time.Hour, time.Minute, time.Minute}}, 1},
		{"a forward jump is believed", []step{{time.Hour, time.Minute, time.Hour + time.Minute}}, 0},
		{"and not taken back", []step{{time.Hour, 0, time.Hour}, {-time.Hour, time.Minute, time.Hour + time.Minute}}, 1},
		{"it is the machine's again once that has caught up", []step{{-time.Hour, 0, 0}, {2 * time.Hour, time.Minute, time.Hour + time.Minute}, {-time.Minute, time.Minute, time.Hour + 2*time.Minute}}, 2},
		{"a small correction is held too, and told to nobody", []step{{-time.Second, time.Minute, time.Minute}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, told := newMachine(), 0
			s := Over(m.read, func(by time.Duration) {
				told++
				if by <= 0 {
					t.Errorf("set back by %v", by)
				}
			})
			for _, step := range c.steps {
				m.jump(step.jump)
				m.pass(step.pass)
				for range 3 {
					if got := s.Now().Sub(m.start); got != step.want {
						t.Errorf("got %v after the start, want %v", got, step.want)
					}
				}
			}
			if told != c.told {
				t.Errorf("told %d times, want %d", told, c.told)
			}
		})
	}
}

// TestManyReadersOfOneClock sets it back and forth under them. Each must see
// times that never go back.
func TestManyReadersOfOneClock(t *testing.T) {
	m := newMachine()
	s := Over(m.read, nil)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			last := s.Now()
			for range 20_000 {
				now := s.Now()
				if now.Before(last) {
					t.Errorf("%v came after %v", now, last)
					return
				}
				last = now
			}
		})
	}
	for i := range 2_000 {
		m.pass(time.Millisecond)
		m.jump(time.Duration(i%7-3) * time.Minute)
	}
	readers.Wait()
}

func TestTheMachinesClockIsReadWithItsMonotonicTime(t *testing.T) {
	s := New(nil)
	a := s.Now()
	if d := time.Since(a); d < 0 || d > time.Minute {
		t.Errorf("%v since now", d)
	}
	if a.String() == a.Round(0).String() { // which tells the monotonic reading too
		t.Error("a time without a monotonic reading")
	}
}

func BenchmarkNow(b *testing.B) {
	b.Run("steady", func(b *testing.B) {
		s := New(nil)
		for b.Loop() {
			s.Now()
		}
	})
	b.Run("machine", func(b *testing.B) {
		for b.Loop() {
			_ = time.Now()
		}
	})
}
