package caddymodule

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clock"
)

// settable is the clock of a machine that can be set, and moved on.
type settable struct {
	mu          sync.Mutex
	set, passed time.Duration
}

func (s *settable) read() (told, passed time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed = time.Now().Add(s.passed)
	return passed.Add(s.set), passed
}

func (s *settable) jump(d time.Duration) { s.mu.Lock(); s.set += d; s.mu.Unlock() }
func (s *settable) pass(d time.Duration) { s.mu.Lock(); s.passed += d; s.mu.Unlock() }

// onClock has runtimes that are opened in this test go by a settable clock.
func onClock(t *testing.T) *settable {
	s, before := new(settable), newClock
	newClock = func(behind func(time.Duration)) *clock.Steady { return clock.Over(s.read, behind) }
	t.Cleanup(func() { newClock = before })
	return s
}

// TestWholeClockThatJumps sets the clock of the machine an hour, a day and ten
// years back and forth under tokens of both forms.
func TestWholeClockThatJumps(t *testing.T) {
	for _, form := range []string{"opaque", "jwt"} {
		for _, by := range []time.Duration{time.Hour, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
			t.Run(form+" by "+by.String(), func(t *testing.T) {
				machine := onClock(t)
				w := start(t, "login management {\nttl 30m\nformat "+form+"\nattempts 3 5m\n}")
				w.ann()
				token, revoked := w.login(annName, annPassword), w.login(annName, annPassword)
				if got := w.post("/v1/auth/logout", "{}", bearerOf(revoked), jsonType); got.status/100 != 2 {
					t.Fatal(got)
				}
				w.passed(w.get("/x", bearerOf(token)))

				machine.jump(-by)
				w.passed(w.get("/x", bearerOf(token)))
				w.refused(w.get("/x", bearerOf(revoked)), http.StatusUnauthorized)
				later := w.login(annName, annPassword)
				machine.pass(29 * time.Minute)
				w.passed(w.get("/x", bearerOf(token)))
				machine.pass(time.Minute + time.Second)
				w.refused(w.get("/x", bearerOf(token)), http.StatusUnauthorized)
				w.refused(w.get("/x", bearerOf(later)), http.StatusUnauthorized)

				again := w.login(annName, annPassword)
				machine.jump(2 * by)
				w.refused(w.get("/x", bearerOf(again)), http.StatusUnauthorized)
				machine.jump(-by)
				for _, dead := range []string{token, revoked, later, again} {
					w.refused(w.get("/x", bearerOf(dead)), http.StatusUnauthorized)
				}
				w.passed(w.get("/x", bearerOf(w.login(annName, annPassword))))
				if n := len(w.logged("gatehouse", "the clock of this machine was set back")); n != 2 {
					t.Errorf("%d lines say that the clock was set back, want 2", n)
				}
			})
		}
	}
}

// TestWholeClockThatJumpsLocksNobodyOutForLonger than attempts says.
func TestWholeClockThatJumpsLocksNobodyOutForLonger(t *testing.T) {
	for name, by := range map[string]time.Duration{"back": -time.Hour, "forth": time.Hour} {
		t.Run(name, func(t *testing.T) {
			machine := onClock(t)
			w := start(t, "login management {\nattempts 3 5m\n}")
			w.ann()
			for range 3 {
				w.tryLogin(annName, "wrong password")
			}
			w.refused(w.tryLogin(annName, annPassword), http.StatusTooManyRequests)
			machine.jump(by)
			if by < 0 {
				w.refused(w.tryLogin(annName, annPassword), http.StatusTooManyRequests)
			}
			machine.pass(5*time.Minute + time.Second)
			w.passed(w.get("/x", bearerOf(w.login(annName, annPassword))))
		})
	}
}
