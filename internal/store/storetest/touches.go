package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// touches are the clauses of TouchSession.
func touches(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a touch sets when a session was used, no new version and no change", touchSession},
		{"of touches the latest stays, in whatever order they come", touchLatest},
		{"a touch of a session that is not there does nothing, in its realm or another", touchAbsent},
		{"a touch never makes a row", touchMakesNone},
		{"a touch does not stand in the way of an exchange, and is not lost by it", touchExchange},
		{"fifty touches at once with an exchange leave the latest, and the exchange", raceTouch},
	})
}

func (f *fixture) touch(t *testing.T, s store.Session, at store.Time) {
	t.Helper()
	ok(t, f.Sessions.TouchSession(t.Context(), s.Realm, s.ID, at))
}

func touchSession(t *testing.T, f *fixture) {
	s, other := fullSession(f.clock, "a"), fullSession(f.clock, "other")
	f.insertSessions(t, s, other)
	at := f.clock.after(time.Minute)
	f.records(t, nil, func() {
		f.touch(t, s, at.Add(999_999).In(time.FixedZone("far", 13*3600)))
	})
	s.Updated = at
	for range 2 { // a touch may be late, but not lost in an orderly end
		f.holds(t, s)
		f.holds(t, other)
		want(t, f.find(t, where(store.FieldID, store.Equal, s.ID)), []store.Session{s})
		f.reopen(t)
	}
	ok(t, f.Sessions.ExchangeSession(t.Context(), s))
}

func touchLatest(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	s.Updated = f.clock.after(time.Hour)
	f.touch(t, s, s.Updated)
	for _, earlier := range []store.Time{s.Updated.Add(-time.Millisecond), s.Issued, {}, time.Unix(0, 0), s.Updated} {
		f.touch(t, s, earlier)
		f.holds(t, s)
		f.reopen(t)
		f.touch(t, s, earlier)
		f.holds(t, s)
	}
	never := session(f.clock, "b") // Updated is none
	f.insertSessions(t, never)
	f.touch(t, never, store.Time{})
	f.holds(t, never)
	never.Updated = time.Unix(0, 0).UTC()
	f.touch(t, never, never.Updated)
	f.holds(t, never)
	f.reopen(t)
	f.holds(t, s)
	f.holds(t, never)
}

func touchAbsent(t *testing.T, f *fixture) {
	s, gone := fullSession(f.clock, "a"), session(f.clock, "gone")
	f.insertSessions(t, s, gone)
	_, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{ID: gone.ID})
	ok(t, err)
	at := f.clock.after(time.Hour)
	for _, id := range []string{gone.ID, uuid.NewString(), "", "%"} {
		ok(t, f.Sessions.TouchSession(t.Context(), home, id, at))
	}
	ok(t, f.Sessions.TouchSession(t.Context(), foreign, s.ID, at))
	for range 2 {
		f.holds(t, s)
		f.lacks(t, gone)
		f.reopen(t)
	}
}

// touchMakesNone looks for what a careless touch leaves: a row that is nothing
// but a stamp, and holds an id.
func touchMakesNone(t *testing.T, f *fixture) {
	revoked, expired := fullSession(f.clock, "revoked"), fullSession(f.clock, "expired")
	f.insertSessions(t, revoked, expired)
	_, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{ID: revoked.ID})
	ok(t, err)
	f.clock.set(expired.Keep)
	never := fullSession(f.clock, "never")
	again := []store.Session{fullSession(f.clock, "revoked"), fullSession(f.clock, "expired"), never}
	again[0].ID, again[1].ID = revoked.ID, expired.ID
	for range 2 { // before and after what passed its Keep is swept
		for _, s := range again {
			f.touch(t, s, f.clock.after(time.Hour))
			f.lacks(t, s)
		}
		want(t, len(f.find(t, store.SessionQuery{})), 0)
		_, err := f.Sessions.SweepSessions(t.Context(), 10)
		ok(t, err)
		f.reopen(t)
	}
	n, err := f.Sessions.SweepSessions(t.Context(), 10)
	ok(t, err)
	want(t, n, 0)
	f.insertSessions(t, again...)
	for _, s := range again {
		f.holds(t, s)
	}
}

func touchExchange(t *testing.T, f *fixture) {
	for i, written := range []func(){func() {}, func() { f.reopen(t) }} {
		read := fullSession(f.clock, decimal(int64(i)))
		f.insertSessions(t, read)
		at := f.clock.after(time.Hour)
		f.touch(t, read, at)
		written()
		read.Flags = []string{"exchanged"} // read before the touch
		ok(t, f.Sessions.ExchangeSession(t.Context(), read, session(f.clock, fmt.Sprint("next ", i))))
		read.Version++
		read.Updated = at
		f.holds(t, read)

		read.Updated = at.Add(time.Minute) // an exchange is a use too
		ok(t, f.Sessions.ExchangeSession(t.Context(), read))
		read.Version++
		f.touch(t, read, at)
		f.holds(t, read)
		f.touch(t, read, at.Add(time.Hour))
		read.Updated = at.Add(time.Hour)
		f.reopen(t)
		f.holds(t, read)
	}
}

func raceTouch(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		s := session(f.clock, fmt.Sprint(n))
		f.insertSessions(t, s)
		used := s
		used.Retired = f.clock.Now()
		errs := atOnce(n+2, func(i int) error {
			if i >= n {
				return f.Sessions.ExchangeSession(ctx, used)
			}
			return f.Sessions.TouchSession(ctx, home, s.ID, f.clock.after(time.Duration(i)*time.Second))
		})
		lost := 0
		for _, err := range errs {
			if err != nil {
				refused(t, err, auth.Conflict)
				lost++
			}
		}
		want(t, lost, 1)
		used.Version++
		used.Updated = f.clock.after(time.Duration(n-1) * time.Second)
		f.holds(t, used)
		f.reopen(t)
		f.holds(t, used)
	}
}
