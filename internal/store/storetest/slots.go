package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func slots(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a slot held by a session that has not expired is a conflict", slotHeld},
		{"a slot held by an expired session goes to the next, at the instant Expires", slotExpired},
		{"a conflict leaves the expired session in its slot", slotConflict},
		{"any number of sessions have no slot", slotNone},
		{"a slot is free after its session was revoked", slotRevoked},
		{"an exchange may hand the slot on to the session that comes next", slotHandedOn},
		{"an exchange into a held slot is a conflict and changes nothing", slotExchangeHeld},
		{"an exchange into a slot of an expired session takes it", slotExchangeExpired},
	})
}

// inSlot returns a session in the slot that all these clauses are about.
func inSlot(c *clock, name string) store.Session {
	s := session(c, name)
	s.Slot = "user in entity"
	return s
}

func slotHeld(t *testing.T, f *fixture) {
	s := inSlot(f.clock, "a")
	f.insertSessions(t, s)
	f.clock.set(s.Expires.Add(-time.Millisecond))
	next := inSlot(f.clock, "b")
	refused(t, f.Sessions.InsertSession(t.Context(), next), auth.Conflict)
	f.holds(t, s)
	f.lacks(t, next)
	next.Realm = foreign
	f.insertSessions(t, next)
	f.holds(t, next)
	f.holds(t, s)
}

func slotExpired(t *testing.T, f *fixture) {
	s, bystander := inSlot(f.clock, "a"), session(f.clock, "bystander")
	f.insertSessions(t, s, bystander)
	f.clock.set(s.Expires)
	next := inSlot(f.clock, "b")
	f.insertSessions(t, next)
	f.holds(t, next)
	f.lacks(t, s)
	f.holds(t, bystander)
	f.reopen(t)
	f.holds(t, next)
	f.lacks(t, s)
}

func slotConflict(t *testing.T, f *fixture) {
	expired, other := inSlot(f.clock, "a"), session(f.clock, "other")
	expired.Expires = f.clock.after(time.Minute)
	f.insertSessions(t, expired, other)
	f.clock.set(expired.Expires)
	next, taken := inSlot(f.clock, "b"), session(f.clock, "c")
	taken.Digest = other.Digest
	refused(t, f.Sessions.InsertSession(t.Context(), next, taken), auth.Conflict)
	f.holds(t, expired)
	next.Digest = other.Digest
	refused(t, f.Sessions.InsertSession(t.Context(), next), auth.Conflict)
	refused(t, f.Sessions.ExchangeSession(t.Context(), other, next), auth.Conflict)
	f.holds(t, expired)
	f.holds(t, other)
}

func slotNone(t *testing.T, f *fixture) {
	rows := []store.Session{session(f.clock, "a"), session(f.clock, "b")}
	f.insertSessions(t, rows...)
	f.insertSessions(t, session(f.clock, "c"))
	f.clock.set(rows[0].Expires)
	f.insertSessions(t, session(f.clock, "d"))
	want(t, len(f.find(t, store.SessionQuery{})), 4)
}

func slotRevoked(t *testing.T, f *fixture) {
	s := inSlot(f.clock, "a")
	f.insertSessions(t, s)
	n, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{ID: s.ID})
	ok(t, err)
	want(t, n, 1)
	next := inSlot(f.clock, "b")
	f.insertSessions(t, next)
	f.holds(t, next)
}

func slotHandedOn(t *testing.T, f *fixture) {
	s, next := inSlot(f.clock, "a"), inSlot(f.clock, "b")
	f.insertSessions(t, s)
	refused(t, f.Sessions.ExchangeSession(t.Context(), s, next), auth.Conflict)
	f.holds(t, s)
	f.lacks(t, next)

	s.Slot, s.Retired = "", f.clock.Now()
	ok(t, f.Sessions.ExchangeSession(t.Context(), s, next))
	s.Version++
	f.holds(t, s)
	f.holds(t, next)

	s, next = next, inSlot(f.clock, "c")
	s.Expires = f.clock.Now() // an expired holder makes room for what comes with it
	ok(t, f.Sessions.ExchangeSession(t.Context(), s, next))
	f.holds(t, next)
	f.lacks(t, s)
}

func slotExchangeHeld(t *testing.T, f *fixture) {
	holder, s := inSlot(f.clock, "a"), session(f.clock, "b")
	f.insertSessions(t, holder, s)
	moved := s
	moved.Slot = holder.Slot
	f.records(t, nil, func() {
		refused(t, f.Sessions.ExchangeSession(t.Context(), moved), auth.Conflict)
		refused(t, f.Sessions.ExchangeSession(t.Context(), s, inSlot(f.clock, "c")), auth.Conflict)
	})
	f.holds(t, holder)
	f.holds(t, s)
	want(t, len(f.find(t, store.SessionQuery{})), 2)
}

func slotExchangeExpired(t *testing.T, f *fixture) {
	holder, s := inSlot(f.clock, "a"), session(f.clock, "b")
	holder.Expires = f.clock.after(time.Minute)
	f.insertSessions(t, holder, s)
	f.clock.set(holder.Expires)
	s.Slot = holder.Slot
	ok(t, f.Sessions.ExchangeSession(t.Context(), s))
	s.Version++
	f.holds(t, s)
	f.lacks(t, holder)
}
