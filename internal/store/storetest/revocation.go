package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func revocation(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a revocation removes what all of its members match, and nothing else", revokeMatches},
		{"a revocation of nothing in particular removes nothing", revokeZero},
		{"a revocation is idempotent", revokeTwice},
		{"a revoked session stays revoked when the store is opened again", revokeLasts},
		{"a revocation of a subject, key or tenant records one change, of others one for each session", revokeChanges},
	})
}

func revokeMatches(t *testing.T, f *fixture) {
	var rows []store.Session
	for i, of := range []struct {
		subject, family, dialect, tenant, unit string
		key                                    int64
	}{
		{"ana", "one", "management", "acme", "north", 7},
		{"ana", "one", "timed_login", "acme", "", 7},
		{"ana", "two", "management", "", "", 0},
		{"bo", "one", "management", "other", "north", 7},
		{"ana ", "One", "management", "Acme", "North", 70},
	} {
		s := session(f.clock, decimal(int64(i)))
		s.Subject, s.Family, s.Dialect, s.KeyID = of.subject, of.family, of.dialect, of.key
		s.Tenant, s.Unit = of.tenant, of.unit
		rows = append(rows, s)
	}
	for _, c := range []struct {
		match store.SessionMatch
		gone  []int
	}{
		{store.SessionMatch{ID: rows[2].ID}, []int{2}},
		{store.SessionMatch{Digest: rows[3].Digest}, []int{3}},
		{store.SessionMatch{Subject: "ana"}, []int{0, 1, 2}},
		{store.SessionMatch{Family: "one"}, []int{0, 1, 3}},
		{store.SessionMatch{KeyID: 7}, []int{0, 1, 3}},
		{store.SessionMatch{Subject: "ana", Dialect: "management"}, []int{0, 2}},
		{store.SessionMatch{Subject: "ana", KeyID: 7}, []int{0, 1}},
		{store.SessionMatch{Subject: "ana", Family: "one", KeyID: 7, Dialect: "timed_login"}, []int{1}},
		{store.SessionMatch{Tenant: "acme"}, []int{0, 1}},
		{store.SessionMatch{Tenant: "acme", Unit: "north"}, []int{0}},
		{store.SessionMatch{Subject: "ana", Tenant: "acme", Dialect: "timed_login"}, []int{1}},
		{store.SessionMatch{Tenant: "acme", Unit: "south"}, nil},
		{store.SessionMatch{ID: rows[0].ID, Subject: "bo"}, nil},
		{store.SessionMatch{ID: rows[0].ID, Digest: rows[1].Digest}, nil},
		{store.SessionMatch{ID: rows[0].ID, Dialect: "timed_login"}, nil},
		{store.SessionMatch{Subject: "a%"}, nil},
		{store.SessionMatch{ID: uuid.NewString()}, nil},
	} {
		f.revokes(t, rows, c.match, c.gone)
	}
}

// revokes inserts rows, revokes, and fails the clause unless exactly those at
// the indices are gone. It leaves the store empty.
func (f *fixture) revokes(t *testing.T, rows []store.Session, m store.SessionMatch, gone []int) {
	t.Helper()
	f.insertSessions(t, rows...)
	n, err := f.Sessions.RevokeSessions(t.Context(), home, m)
	ok(t, err)
	want(t, n, len(gone))
	removed := map[int]bool{}
	for _, i := range gone {
		removed[i] = true
	}
	for i, s := range rows {
		if removed[i] {
			f.lacks(t, s)
			continue
		}
		f.holds(t, s)
		n, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{ID: s.ID})
		ok(t, err)
		want(t, n, 1)
	}
}

func revokeZero(t *testing.T, f *fixture) {
	s := session(f.clock, "a") // no key, no family
	f.insertSessions(t, s)
	for _, m := range []store.SessionMatch{{}, {Dialect: s.Dialect}, {Unit: s.Unit}, {Unit: "north"}} {
		f.records(t, nil, func() {
			n, err := f.Sessions.RevokeSessions(t.Context(), home, m)
			ok(t, err)
			want(t, n, 0)
		})
	}
	f.holds(t, s)
}

func revokeTwice(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	for _, removed := range []int{1, 0} {
		n, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{Digest: s.Digest})
		ok(t, err)
		want(t, n, removed)
		f.lacks(t, s)
	}
	_, err := f.Sessions.Session(t.Context(), home, store.SessionRef{Slot: s.Slot})
	refused(t, err, auth.NotFound)
}

func revokeLasts(t *testing.T, f *fixture) {
	s, other := fullSession(f.clock, "a"), fullSession(f.clock, "b")
	f.insertSessions(t, s, other)
	_, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{Subject: s.Subject})
	ok(t, err)
	f.reopen(t)
	f.lacks(t, s)
	f.holds(t, other)
}

func revokeChanges(t *testing.T, f *fixture) {
	change := func(kind store.ChangeKind, id string) store.Change {
		return store.Change{Realm: home, Kind: kind, ID: id}
	}
	a, b := session(f.clock, "a"), session(f.clock, "b")
	for _, s := range []*store.Session{&a, &b} {
		s.Subject, s.Family, s.KeyID, s.Tenant = "ana", "one", 7, "acme"
	}
	each := []store.Change{change(store.SessionChanged, a.ID), change(store.SessionChanged, b.ID)}
	for _, c := range []struct {
		match    store.SessionMatch
		expected []store.Change
	}{
		{store.SessionMatch{Subject: "ana"}, []store.Change{change(store.SubjectChanged, "ana")}},
		{store.SessionMatch{KeyID: 7}, []store.Change{change(store.KeyChanged, "7")}},
		{store.SessionMatch{Tenant: "acme"}, []store.Change{change(store.TenantChanged, "acme")}},
		{store.SessionMatch{Subject: "ana", Tenant: "acme"}, []store.Change{change(store.SubjectChanged, "ana")}},
		{store.SessionMatch{KeyID: 7, Tenant: "acme"}, []store.Change{change(store.KeyChanged, "7")}},
		{store.SessionMatch{Family: "one"}, each},
		{store.SessionMatch{ID: a.ID}, each[:1]},
		{store.SessionMatch{Digest: b.Digest}, each[1:]},
	} {
		f.insertSessions(t, a, b)
		f.records(t, c.expected, func() {
			_, err := f.Sessions.RevokeSessions(t.Context(), home, c.match)
			ok(t, err)
		})
		_, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{Subject: "ana"})
		ok(t, err)
	}
}
