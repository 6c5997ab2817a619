package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Sessions holds a backend to its part of the contract. It needs nothing but
// sessions and the change feed.
func Sessions(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a session comes back as it went in, by its digest, its id and its slot", sessionRoundTrip},
		{"a session that is not there is not found", sessionAbsent},
		{"a session is named by exactly one thing", sessionRefs},
		{"a session is found between Expires and Keep", sessionExpired},
		{"a session is absent at the instant Keep, for every method", sessionGone},
		{"what passed its Keep makes room for another of its id, digest and slot", sessionMakesRoom},
		{"an id or digest that is taken is a conflict", sessionTaken},
		{"an insert of several adds all or none", sessionAllOrNone},
		{"an insert of none does nothing", sessionInsertNone},
		{"a session without id, realm, digest or end is malformed", sessionMalformed},
		{"a realm neither shows nor touches the sessions of another", sessionRealms},
		{"creation and a read record no change", sessionNoChange},
		{"a caller may change what it was given", sessionCopies},
		{"odd text comes back as it went in or is refused", sessionOddText},
		{"times are kept to the millisecond in UTC, and the epoch is not the zero time", sessionTimes},
	})
	t.Run("slots", func(t *testing.T) { slots(t, b) })
	t.Run("touches", func(t *testing.T) { touches(t, b) })
	t.Run("exchange", func(t *testing.T) { exchange(t, b) })
	t.Run("revocation", func(t *testing.T) { revocation(t, b) })
	t.Run("sweep", func(t *testing.T) { sweep(t, b) })
	t.Run("at once", func(t *testing.T) { sessionsAtOnce(t, b) })
}

// session returns the session of the home realm with that id.
func (f *fixture) session(t *testing.T, id string) (store.Session, error) {
	t.Helper()
	return f.Sessions.Session(t.Context(), home, store.SessionRef{ID: id})
}

// holds fails the clause unless the store has exactly this of the session, by
// every name that it has.
func (f *fixture) holds(t *testing.T, s store.Session) {
	t.Helper()
	refs := []store.SessionRef{{ID: s.ID}, {Digest: s.Digest}}
	if s.Slot != "" {
		refs = append(refs, store.SessionRef{Slot: s.Slot})
	}
	for _, by := range refs {
		got, err := f.Sessions.Session(t.Context(), s.Realm, by)
		ok(t, err)
		want(t, got, s)
	}
}

// lacks fails the clause unless the session is not found by its id and digest.
func (f *fixture) lacks(t *testing.T, s store.Session) {
	t.Helper()
	for _, by := range []store.SessionRef{{ID: s.ID}, {Digest: s.Digest}} {
		_, err := f.Sessions.Session(t.Context(), s.Realm, by)
		refused(t, err, auth.NotFound)
	}
}

func sessionRoundTrip(t *testing.T, f *fixture) {
	rows := []store.Session{fullSession(f.clock, "full"), session(f.clock, "bare")}
	f.insertSessions(t, rows...)
	for range 2 {
		for _, s := range rows {
			f.holds(t, s)
		}
		f.reopen(t)
	}
}

func sessionAbsent(t *testing.T, f *fixture) {
	f.insertSessions(t, fullSession(f.clock, "a"), session(f.clock, "b"))
	refs := []store.SessionRef{{ID: uuid.NewString()}, {Digest: auth.DigestOf("c")}, {Slot: "slot of b"}, {Slot: "%"}, {ID: "%"}}
	for _, odd := range oddStrings() {
		refs = append(refs, store.SessionRef{ID: odd}, store.SessionRef{Slot: odd})
	}
	for _, by := range refs {
		_, err := f.Sessions.Session(t.Context(), home, by)
		refused(t, err, auth.NotFound)
	}
}

func sessionRefs(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s, session(f.clock, "b"))
	for _, by := range []store.SessionRef{
		{},
		{ID: s.ID, Digest: s.Digest},
		{ID: s.ID, Slot: s.Slot},
		{Slot: s.Slot, Digest: s.Digest},
		{ID: s.ID, Digest: s.Digest, Slot: s.Slot},
	} {
		_, err := f.Sessions.Session(t.Context(), home, by)
		refused(t, err, auth.Malformed)
	}
}

func sessionExpired(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	for _, at := range []time.Time{s.Expires.Add(-time.Millisecond), s.Expires, s.Keep.Add(-time.Millisecond)} {
		f.clock.set(at)
		f.holds(t, s)
		want(t, f.find(t, store.SessionQuery{}), []store.Session{s})
	}
}

func sessionGone(t *testing.T, f *fixture) {
	s, lasting := fullSession(f.clock, "a"), session(f.clock, "b")
	lasting.Keep = s.Keep.Add(time.Millisecond)
	f.insertSessions(t, s, lasting)
	f.clock.set(s.Keep)
	f.lacks(t, s)
	_, err := f.Sessions.Session(t.Context(), home, store.SessionRef{Slot: s.Slot})
	refused(t, err, auth.NotFound)
	want(t, f.find(t, store.SessionQuery{}), []store.Session{lasting})

	longer := s
	longer.Keep = f.clock.after(time.Hour)
	f.records(t, nil, func() {
		refused(t, f.Sessions.ExchangeSession(t.Context(), longer), auth.NotFound)
		n, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{ID: s.ID})
		ok(t, err)
		want(t, n, 0)
	})
	f.lacks(t, s)
	f.holds(t, lasting)
}

func sessionMakesRoom(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	f.clock.set(s.Keep)
	again := fullSession(f.clock, "a")
	again.ID, again.Subject = s.ID, "another"
	f.insertSessions(t, again)
	f.holds(t, again)

	f.clock.set(again.Keep)
	spread := []store.Session{fullSession(f.clock, "x"), fullSession(f.clock, "y"), fullSession(f.clock, "z")}
	spread[0].ID, spread[1].Digest, spread[2].Slot = again.ID, again.Digest, again.Slot
	f.insertSessions(t, spread...)
	for _, s := range spread {
		f.holds(t, s)
	}
}

func sessionTaken(t *testing.T, f *fixture) {
	s := session(f.clock, "a")
	f.insertSessions(t, s)
	for _, at := range []time.Time{f.clock.Now(), s.Expires} { // expired rows keep their names
		f.clock.set(at)
		sameID, sameDigest := session(f.clock, "b"), session(f.clock, "c")
		sameID.ID, sameDigest.Digest = s.ID, s.Digest
		refused(t, f.Sessions.InsertSession(t.Context(), sameID), auth.Conflict)
		refused(t, f.Sessions.InsertSession(t.Context(), sameDigest), auth.Conflict)
		_, err := f.session(t, sameDigest.ID)
		refused(t, err, auth.NotFound)
	}
	f.holds(t, s)
}

func sessionAllOrNone(t *testing.T, f *fixture) {
	taken := fullSession(f.clock, "a")
	f.insertSessions(t, taken)
	for _, change := range []func(*store.Session){
		func(s *store.Session) { s.ID = taken.ID },
		func(s *store.Session) { s.Digest = taken.Digest },
		func(s *store.Session) { s.Slot = taken.Slot },
	} {
		bad, good := session(f.clock, "bad"), fullSession(f.clock, "good")
		change(&bad)
		for _, rows := range [][]store.Session{{good, bad}, {bad, good}, {good, bad, session(f.clock, "more")}} {
			refused(t, f.Sessions.InsertSession(t.Context(), rows...), auth.Conflict)
			f.lacks(t, good)
			want(t, f.find(t, store.SessionQuery{}), []store.Session{taken})
		}
	}
	one, two := fullSession(f.clock, "one"), fullSession(f.clock, "two")
	two.Digest = one.Digest
	refused(t, f.Sessions.InsertSession(t.Context(), one, two), auth.Conflict)
	two.Digest, two.Slot = auth.DigestOf("two"), one.Slot
	refused(t, f.Sessions.InsertSession(t.Context(), one, two), auth.Conflict)
	two.Slot, two.Digest = "", auth.Digest{}
	refused(t, f.Sessions.InsertSession(t.Context(), one, two), auth.Malformed)
	f.holds(t, taken)
	f.reopen(t)
	want(t, f.find(t, store.SessionQuery{}), []store.Session{taken})
}

func sessionInsertNone(t *testing.T, f *fixture) {
	ok(t, f.Sessions.InsertSession(t.Context()))
	want(t, len(f.find(t, store.SessionQuery{})), 0)
}

func sessionMalformed(t *testing.T, f *fixture) {
	for _, change := range []func(*store.Session){
		func(s *store.Session) { s.ID = "" },
		func(s *store.Session) { s.Realm = "" },
		func(s *store.Session) { s.Digest = auth.Digest{} },
		func(s *store.Session) { s.Expires = time.Time{} },
		func(s *store.Session) { s.Keep = time.Time{} },
		func(s *store.Session) { s.Keep = s.Expires.Add(-time.Millisecond) },
		func(s *store.Session) { s.Subject = "a\x00b" },
		func(s *store.Session) { s.Scopes = tooMany() },
	} {
		s := session(f.clock, "a")
		change(&s)
		refused(t, f.Sessions.InsertSession(t.Context(), s), auth.Malformed)
	}
	old := session(f.clock, "a")
	f.insertSessions(t, old)
	bad := session(f.clock, "b")
	bad.Digest = auth.Digest{}
	refused(t, f.Sessions.ExchangeSession(t.Context(), old, bad), auth.Malformed)
	worse := old
	worse.Keep = time.Time{}
	refused(t, f.Sessions.ExchangeSession(t.Context(), worse), auth.Malformed)
	f.holds(t, old)
}

func sessionRealms(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	theirs := s
	theirs.Realm = foreign
	f.lacks(t, theirs)
	_, err := f.Sessions.Session(t.Context(), foreign, store.SessionRef{Slot: s.Slot})
	refused(t, err, auth.NotFound)
	refused(t, f.Sessions.ExchangeSession(t.Context(), theirs), auth.NotFound)

	theirs.Flags = []string{"theirs"}
	f.insertSessions(t, theirs)
	f.holds(t, s)
	f.holds(t, theirs)
	want(t, f.find(t, store.SessionQuery{}), []store.Session{s})
	ok(t, f.Sessions.ExchangeSession(t.Context(), theirs))
	for _, m := range []store.SessionMatch{
		{Subject: s.Subject},
		{ID: s.ID},
		{Digest: s.Digest},
		{Family: s.Family},
		{KeyID: s.KeyID},
	} {
		_, err := f.Sessions.RevokeSessions(t.Context(), foreign, m)
		ok(t, err)
	}
	f.lacks(t, theirs)
	f.holds(t, s)
}

func sessionNoChange(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.records(t, nil, func() {
		f.insertSessions(t, s, session(f.clock, "b"))
		f.holds(t, s)
		f.find(t, store.SessionQuery{})
	})
}

func sessionCopies(t *testing.T, f *fixture) {
	kept, given := fullSession(f.clock, "a"), fullSession(f.clock, "a")
	given.ID, given.Identity, given.Associate, given.Tenant = kept.ID, kept.Identity, kept.Associate, kept.Tenant
	spoil := func(s *store.Session) { s.Sealed[0], s.Scopes[0], s.Flags[0] = 'x', "spoilt", "spoilt" }
	f.insertSessions(t, given)
	spoil(&given)
	got, err := f.session(t, kept.ID)
	ok(t, err)
	want(t, got, kept)
	spoil(&got)
	rows := f.find(t, store.SessionQuery{})
	want(t, rows, []store.Session{kept})
	spoil(&rows[0])
	f.holds(t, kept)
}

func sessionOddText(t *testing.T, f *fixture) {
	for name, odd := range oddStrings() {
		s := session(f.clock, name)
		s.Dialect, s.Kind, s.Subject = odd, store.SessionKind(odd), odd
		s.Identity, s.Associate, s.Tenant, s.Unit = odd, odd, odd, odd
		s.Scopes, s.Flags = auth.Scope{odd, ""}, []string{"", odd}
		s.Slot, s.Family, s.Sealed = odd, odd, []byte(odd)
		if kept(t, name, f.Sessions.InsertSession(t.Context(), s)) {
			f.holds(t, s)
			want(t, f.find(t, where(store.FieldFamily, store.Equal, odd)), []store.Session{s})
			n, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{Subject: odd})
			ok(t, err)
			want(t, n, 1)
		}
		f.lacks(t, s)
	}
}

func sessionTimes(t *testing.T, f *fixture) {
	for i, at := range []time.Time{f.clock.Now().Add(999_999), {}, time.Unix(0, 0), time.Unix(0, -1)} {
		s := session(f.clock, decimal(int64(i)))
		zone := time.FixedZone("far", 13*3600)
		s.Expires, s.Keep = s.Expires.Add(999_999).In(zone), s.Keep.Add(999_999).In(zone)
		s.Issued, s.Updated, s.Retired = at, at, at
		f.insertSessions(t, s)
		p := store.Precise(at)
		s.Issued, s.Updated, s.Retired = p, p, p
		s.Expires, s.Keep = store.Precise(s.Expires), store.Precise(s.Keep)
		f.holds(t, s)
	}
}
