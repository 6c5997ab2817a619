package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Shared holds a backend to what it owes where two processes, or two nodes,
// have the same store open. [Run] leaves it out for a [Backend] that is not
// Shared.
func Shared(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"stores that are opened at once on a new place are one", sharedOpen},
		{"what one writes the other reads", sharedRead},
		{"of first identities made in both one is added", sharedIdentity},
		{"of signing keys made in both unless one is active, one wins", sharedSigning},
		{"of rotations in two of them at once one wins, and both know when the old key ends", sharedRotation},
		{"a closed store leaves the other open", sharedClose},
	})
	t.Run("sessions", func(t *testing.T) { SharedSessions(t, b) })
}

// SharedSessions is the part of [Shared] that needs nothing but sessions and
// the change feed.
func SharedSessions(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a wait returns when a change comes from the other", sharedWait},
		{"what one revokes the other lacks, and reads of in its feed", sharedRevoke},
		{"of exchanges in both one wins", sharedExchange},
		{"of sessions for one slot added in both one is", sharedSlot},
		{"of touches in both the later stays", sharedTouch},
	})
}

// beside opens the store of f once more.
func (f *fixture) beside(t *testing.T) *fixture {
	t.Helper()
	g := &fixture{backend: f.backend, clock: f.clock, dir: f.dir}
	g.Store = f.backend.Open(t, f.clock.Now, f.dir)
	t.Cleanup(func() { ok(t, g.Close()) })
	return g
}

func sharedOpen(t *testing.T, f *fixture) {
	dir := t.TempDir()
	stores := make([]store.Store, 4)
	atOnce(len(stores), func(i int) error {
		stores[i] = f.backend.Open(t, f.clock.Now, dir)
		return nil
	})
	if t.Failed() {
		t.FailNow()
	}
	for i, s := range stores {
		ok(t, s.Accounts.InsertAccount(t.Context(), account("ana"+decimal(int64(i)))))
	}
	for _, s := range stores {
		rows, err := s.Accounts.ListAccounts(t.Context(), home, store.Page{})
		ok(t, err)
		want(t, len(rows), len(stores))
		ok(t, s.Close())
	}
}

func sharedRead(t *testing.T, f *fixture) {
	g := f.beside(t)
	h := f.furnish(t)
	g.furnished(t, h)
	n, err := g.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{ID: h.own.ID})
	ok(t, err)
	want(t, n, 1)
	f.lacks(t, h.own)
	want(t, f.since(t, 0), g.since(t, 0))
}

func sharedWait(t *testing.T, f *fixture) {
	g := f.beside(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	latest := g.latest(t)
	came := make(chan error, 1)
	go func() {
		for {
			if err := g.Changes.Wait(ctx, latest); err != nil {
				came <- err
				return
			}
			changes, err := g.Changes.Since(ctx, latest, 1)
			if err != nil || len(changes) > 0 {
				came <- err
				return
			}
		}
	}()
	f.record(t, 1)
	ok(t, <-came)
	want(t, changeIDs(g.since(t, latest)), []string{"1"})
}

func sharedRevoke(t *testing.T, f *fixture) {
	g := f.beside(t)
	s, other := fullSession(f.clock, "a"), fullSession(f.clock, "b")
	f.insertSessions(t, s, other)
	g.holds(t, s)
	n, err := f.Sessions.RevokeSessions(t.Context(), home, store.SessionMatch{Digest: s.Digest})
	ok(t, err)
	want(t, n, 1)
	g.lacks(t, s)
	g.holds(t, other)
	want(t, changeIDs(g.since(t, 0)), []string{s.ID})
	want(t, f.since(t, 0), g.since(t, 0))
}

func sharedSlot(t *testing.T, f *fixture) {
	both, ctx := []*fixture{f, f.beside(t)}, t.Context()
	rows := make([]store.Session, 16)
	for i := range rows {
		rows[i] = inSlot(f.clock, decimal(int64(i)))
	}
	winner := oneWins(t, len(rows), func(i int) error { return both[i%2].Sessions.InsertSession(ctx, rows[i]) })
	for _, g := range both {
		g.holds(t, rows[winner])
		want(t, g.findIn(t, rows), 1)
	}
}

func sharedExchange(t *testing.T, f *fixture) {
	both, ctx := []*fixture{f, f.beside(t)}, t.Context()
	old := session(f.clock, "old")
	f.insertSessions(t, old)
	winner := oneWins(t, 16, func(i int) error {
		return both[i%2].Sessions.ExchangeSession(ctx, old, session(f.clock, decimal(int64(i))))
	})
	old.Version++
	for _, g := range both {
		g.holds(t, old)
		rows := g.find(t, where(store.FieldID, store.NotEqual, old.ID))
		want(t, len(rows), 1)
		want(t, rows[0].Digest, session(f.clock, decimal(int64(winner))).Digest)
	}
}

func sharedTouch(t *testing.T, f *fixture) {
	for i, order := range [][]time.Duration{{time.Minute, time.Hour}, {time.Hour, time.Minute}} {
		g := f.beside(t)
		s := session(f.clock, decimal(int64(i)))
		f.insertSessions(t, s)
		f.touch(t, s, f.clock.after(order[0]))
		g.touch(t, s, f.clock.after(order[1]))
		f.reopen(t) // what f knows is written now, and then what g knows
		ok(t, g.Close())
		s.Updated = f.clock.after(time.Hour)
		f.holds(t, s)
	}
}

func sharedIdentity(t *testing.T, f *fixture) {
	both, ctx := []*fixture{f, f.beside(t)}, t.Context()
	a := f.insertAccounts(t, "ana")[0]
	rows := make([]store.Identity, 16)
	for i := range rows {
		rows[i] = identity(a)
	}
	winner := oneWins(t, len(rows), func(i int) error { return both[i%2].Identities.InsertIdentity(ctx, rows[i], true) })
	for _, g := range both {
		want(t, g.identities(t, a.ID), rows[winner:winner+1])
	}
}

func sharedSigning(t *testing.T, f *fixture) {
	both, ctx := []*fixture{f, f.beside(t)}, t.Context()
	winner := oneWins(t, 16, func(i int) error {
		return both[i%2].SigningKeys.InsertSigningKey(ctx, signingKey(f.clock, decimal(int64(i))), true)
	})
	for _, g := range both {
		want(t, g.signing(t), []store.SigningKey{signingKey(f.clock, decimal(int64(winner)))})
	}
}

func sharedRotation(t *testing.T, f *fixture) {
	both, ctx := []*fixture{f, f.beside(t)}, t.Context()
	f.insertSigning(t, signingKey(f.clock, "old"))
	ok(t, both[1].SigningKeys.RaiseSigningKey(ctx, "old", time.Minute))
	winner := oneWins(t, 16, func(i int) error {
		return both[i%2].SigningKeys.RotateSigningKey(ctx, "old", signingKey(f.clock, decimal(int64(i))), time.Hour)
	})
	old := signingKey(f.clock, "old")
	old.Longest, old.Retired, old.Expires = time.Minute, f.clock.Now(), f.clock.after(time.Hour+time.Minute)
	for _, g := range both {
		want(t, g.signing(t), []store.SigningKey{signingKey(f.clock, decimal(int64(winner))), old})
	}
}

func sharedClose(t *testing.T, f *fixture) {
	g := f.beside(t)
	ok(t, g.Close())
	ok(t, f.Accounts.InsertAccount(t.Context(), account("ana")))
	refused(t, g.Accounts.InsertAccount(t.Context(), account("bo")), auth.Unavailable)
	refused(t, f.lookup(t, "bo"), auth.NotFound)
}
