package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func exchange(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"an exchange replaces the row, adds one to its version and adds the next", exchangeBoth},
		{"an exchange without a next is an update", exchangeUpdate},
		{"an exchange may give the row another digest", exchangeDigest},
		{"an exchange of another version is a conflict and changes nothing", exchangeStale},
		{"an exchange of a row that is gone is not found and adds nothing", exchangeAbsent},
		{"an exchange whose next is taken is a conflict and changes nothing", exchangeTaken},
		{"an exchange does not revive a revoked session", exchangeRevoked},
		{"an exchange records a change of the session that was", exchangeChanges},
	})
}

func exchangeBoth(t *testing.T, f *fixture) {
	old, other := fullSession(f.clock, "a"), fullSession(f.clock, "other")
	f.insertSessions(t, old, other)
	changed := fullSession(f.clock, "a")
	changed.ID, changed.Version, changed.Digest = old.ID, old.Version, old.Digest
	changed.Sealed, changed.Scopes, changed.Flags = []byte("new"), nil, []string{"new"}
	changed.Subject, changed.Dialect, changed.Idle, changed.KeyID = "new", "new", 0, 0
	next := []store.Session{fullSession(f.clock, "b"), session(f.clock, "c")}
	ok(t, f.Sessions.ExchangeSession(t.Context(), changed, next...))
	changed.Version++
	for range 2 {
		f.holds(t, changed)
		f.holds(t, next[0])
		f.holds(t, next[1])
		f.holds(t, other)
		f.reopen(t)
	}
}

func exchangeUpdate(t *testing.T, f *fixture) {
	s := session(f.clock, "a")
	f.insertSessions(t, s)
	for range 3 {
		s.Expires = s.Expires.Add(time.Minute)
		s.Slot, s.Keep = "", s.Keep.Add(time.Minute)
		ok(t, f.Sessions.ExchangeSession(t.Context(), s))
		s.Version++
		f.holds(t, s)
	}
	ended := s
	ended.Expires, ended.Keep = f.clock.Now(), f.clock.Now()
	ok(t, f.Sessions.ExchangeSession(t.Context(), ended))
	f.lacks(t, s)
}

func exchangeDigest(t *testing.T, f *fixture) {
	s, other := session(f.clock, "a"), session(f.clock, "other")
	f.insertSessions(t, s, other)
	first := s.Digest
	s.Digest = auth.DigestOf("rotated")
	ok(t, f.Sessions.ExchangeSession(t.Context(), s))
	s.Version++
	f.holds(t, s)
	_, err := f.Sessions.Session(t.Context(), home, store.SessionRef{Digest: first})
	refused(t, err, auth.NotFound)

	clash := s
	clash.Digest = other.Digest
	refused(t, f.Sessions.ExchangeSession(t.Context(), clash), auth.Conflict)
	f.holds(t, s)
	f.holds(t, other)
	reused := session(f.clock, "reused")
	reused.Digest = first
	f.insertSessions(t, reused)
	f.holds(t, reused)
}

func exchangeStale(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	for _, version := range []int64{s.Version - 1, s.Version + 1} {
		stale, next := s, session(f.clock, "b")
		stale.Version, stale.Retired = version, f.clock.Now()
		f.records(t, nil, func() {
			refused(t, f.Sessions.ExchangeSession(t.Context(), stale, next), auth.Conflict)
		})
		f.holds(t, s)
		f.lacks(t, next)
	}
}

func exchangeAbsent(t *testing.T, f *fixture) {
	s, next := session(f.clock, "a"), session(f.clock, "b")
	f.records(t, nil, func() {
		refused(t, f.Sessions.ExchangeSession(t.Context(), s, next), auth.NotFound)
	})
	f.lacks(t, s)
	f.lacks(t, next)
}

func exchangeTaken(t *testing.T, f *fixture) {
	s, other := fullSession(f.clock, "a"), fullSession(f.clock, "other")
	f.insertSessions(t, s, other)
	for _, change := range []func(*store.Session){
		func(n *store.Session) { n.ID = other.ID },
		func(n *store.Session) { n.Digest = other.Digest },
		func(n *store.Session) { n.Slot = other.Slot },
		func(n *store.Session) { n.ID = s.ID },
		func(n *store.Session) { n.Digest = s.Digest },
	} {
		used, good, bad := s, session(f.clock, "good"), session(f.clock, "bad")
		used.Retired = f.clock.Now()
		change(&bad)
		f.records(t, nil, func() {
			refused(t, f.Sessions.ExchangeSession(t.Context(), used, good, bad), auth.Conflict)
		})
		f.holds(t, s)
		f.holds(t, other)
		f.lacks(t, good)
	}
	f.reopen(t)
	f.holds(t, s)
}

func exchangeRevoked(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	_, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{Digest: s.Digest})
	ok(t, err)
	next := session(f.clock, "b")
	refused(t, f.Sessions.ExchangeSession(t.Context(), s, next), auth.NotFound)
	f.lacks(t, s)
	f.lacks(t, next)
}

func exchangeChanges(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	changed := []store.Change{{Realm: home, Kind: store.SessionChanged, ID: s.ID}}
	next := fullSession(f.clock, uuid.NewString())
	f.records(t, changed, func() { ok(t, f.Sessions.ExchangeSession(t.Context(), s, next)) })
}
