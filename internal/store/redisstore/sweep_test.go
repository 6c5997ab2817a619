package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

func TestASweepRestsByWhatItTookAndWhatIsLeft(t *testing.T) {
	for _, c := range []struct {
		name      string
		took      time.Duration
		left, all int64
		rests     time.Duration
	}{
		{"a hundredth of the time is a sweep's", 2 * time.Millisecond, 100, 1000, 198 * time.Millisecond},
		{"a slow server is not left alone for ever", time.Second, 0, 1000, longestRest},
		{"a quarter that is over has it take a tenth", 2 * time.Millisecond, 251, 1000, 18 * time.Millisecond},
		{"a half that is over has it take all", 2 * time.Millisecond, 501, 1000, 0},
		{"nothing is left", 2 * time.Millisecond, 0, 0, 198 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := rest(c.took, c.left, c.all); d != c.rests {
				t.Errorf("it rests %v, want %v", d, c.rests)
			}
		})
	}
}

// sweeping is a store with rows of which so many are over.
func sweeping(t *testing.T, live, over int) (*Sessions, *testserver.RedisServer) {
	t.Helper()
	server := testserver.Redis(t)
	s := openPatient(t, server)
	rows := make([]store.Session, live+over)
	for i := range rows {
		rows[i] = example("ann")
		if i < over {
			rows[i].Expires = time.Now().Add(-time.Minute)
			rows[i].Keep = rows[i].Expires
		}
	}
	must(t, s.InsertSession(t.Context(), rows...))
	return s, server
}

// Of the rows that are over, one step leaves less than a quarter.
func TestASweepRestsBetweenItsStepsAndBetweenCalls(t *testing.T) {
	s, _ := sweeping(t, 3*sweepStep, sweepStep+sweepStep/2)
	n, err := s.SweepSessions(t.Context(), sweepStep)
	must(t, err)
	free := s.pace.free
	if n != sweepStep || !free.After(time.Now()) {
		t.Fatalf("after %d rows the next step may be at %v", n, time.Until(free))
	}
	n, err = s.SweepSessions(t.Context(), 2*sweepStep)
	must(t, err)
	if n != sweepStep/2 || time.Now().Before(free) {
		t.Errorf("%d rows went %v before their time", n, time.Until(free))
	}
}

func TestASweepThatRestsEndsWithItsCallerAndItsStore(t *testing.T) {
	s, _ := sweeping(t, 1, 1)
	s.pace.free = time.Now().Add(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.SweepSessions(ctx, 10)
	refused(t, err, auth.Unavailable)
	must(t, s.Close())
	if err := s.rest(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("it rests on: %v", err)
	}
}

// What is over takes the room of what is refused.
func TestASweepOfAFullServerDoesNotRest(t *testing.T) {
	s, server := sweeping(t, 1, 1)
	s.pace.free = time.Now().Add(time.Hour)
	server.Must("CONFIG", "SET", "maxmemory", "1")
	refused(t, s.InsertSession(t.Context(), example("bo")), auth.Unavailable)
	n, err := s.SweepSessions(t.Context(), 10)
	must(t, err)
	if n != 1 {
		t.Errorf("%d rows went", n)
	}
	s.pace.free = time.Now().Add(time.Hour)
	if d := s.pace.until(time.Now().Add(hurry)); d <= 0 {
		t.Errorf("it does not rest again after a while: %v", d)
	}
}

// A sweep is observed by the work that it is.
func TestTheRestsOfASweepAreNotObserved(t *testing.T) {
	server := testserver.Redis(t)
	observed := make(chan time.Duration, 100)
	s := openURL(t, Options{URL: auth.NewSecret(server.URL()), Timeout: ample, Observe: func(op string, took time.Duration, _ error) {
		if op == "sweep_sessions" {
			observed <- took
		}
	}})
	s.pace.free = time.Now().Add(200 * time.Millisecond)
	began := time.Now()
	_, err := s.SweepSessions(t.Context(), 10)
	must(t, err)
	if took := <-observed; time.Since(began)-took < 200*time.Millisecond {
		t.Errorf("%v are observed of %v", took, time.Since(began))
	}
}
