package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func sweep(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a sweep removes in bounded steps what passed its Keep, in every realm", sweepSteps},
		{"a sweep leaves what has expired but is kept", sweepLeaves},
		{"a sweep records no change", sweepNoChange},
	})
}

func sweepSteps(t *testing.T, f *fixture) {
	for i := range 25 {
		s := session(f.clock, decimal(int64(i)))
		if i%2 == 0 {
			s.Realm = foreign
		}
		s.Slot = s.ID
		f.insertSessions(t, s)
	}
	lasting := session(f.clock, "lasting")
	lasting.Keep = lasting.Keep.Add(time.Millisecond)
	f.insertSessions(t, lasting)
	f.clock.set(f.clock.after(2 * time.Hour))
	for _, removed := range []int{10, 10, 5, 0} {
		n, err := f.Sessions.SweepSessions(t.Context(), 10)
		ok(t, err)
		want(t, n, removed)
	}
	f.holds(t, lasting)
}

func sweepLeaves(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	f.clock.set(s.Keep.Add(-time.Millisecond))
	n, err := f.Sessions.SweepSessions(t.Context(), 10)
	ok(t, err)
	want(t, n, 0)
	f.holds(t, s)
}

func sweepNoChange(t *testing.T, f *fixture) {
	s := session(f.clock, "a")
	f.insertSessions(t, s)
	f.clock.set(s.Keep)
	f.records(t, nil, func() {
		n, err := f.Sessions.SweepSessions(t.Context(), 10)
		ok(t, err)
		want(t, n, 1)
	})
	want(t, len(f.find(t, store.SessionQuery{})), 0)
}
