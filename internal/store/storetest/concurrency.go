package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// sessionsAtOnce are the races of sessions among themselves.
func sessionsAtOnce(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"of two and of fifty exchanges of one session one wins, and its next is the only one", raceExchange},
		{"of two and of fifty sessions for one slot one is added", raceSlot},
		{"of two and of fifty sessions for a slot that expired one replaces it", raceExpiredSlot},
		{"of two and of fifty sessions with one digest one is added", raceDigest},
		{"a refresh against a revocation leaves a session that was revoked, or none", raceRevoke},
		{"sixteen callers at once read what they wrote, while others sweep and search", raceMixed},
		{"inserts of several at once are each whole", raceBatches},
	})
}

// rowsAtOnce are the races of everything else.
func rowsAtOnce(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"of two and of fifty updates of one account one wins", raceAccount},
		{"of two and of fifty accounts of one name, in any spelling, one is added", raceUsername},
		{"of two and of fifty updates to one name one wins", raceRename},
		{"of two and of fifty rotations of one key one wins", raceKey},
		{"of two and of fifty keys with one digest one is added", raceKeyDigest},
		{"of two and of fifty tenants of one name one is added", raceTenant},
		{"of two and of fifty units of one name one is added", raceUnit},
	})
}

// crowds are how many race for one thing.
var crowds = []int{2, 50}

func raceExchange(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		old := fullSession(f.clock, fmt.Sprint("old of ", n))
		f.insertSessions(t, old)
		next := make([]store.Session, n)
		for i := range next {
			next[i] = session(f.clock, fmt.Sprint(n, " next ", i))
			next[i].Family = old.Family
		}
		before := f.latest(t)
		winner := oneWins(t, n, func(i int) error {
			used := old
			used.Flags = []string{decimal(int64(i))}
			return f.Sessions.ExchangeSession(ctx, used, next[i])
		})
		old.Version++
		old.Flags = []string{decimal(int64(winner))}
		f.holds(t, old)
		for i, s := range next {
			if i == winner {
				f.holds(t, s)
				continue
			}
			f.lacks(t, s)
		}
		want(t, len(f.since(t, before)), 1)
	}
}

func raceSlot(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		rows := make([]store.Session, n)
		for i := range rows {
			rows[i] = session(f.clock, fmt.Sprint(n, " ", i))
			rows[i].Slot = decimal(int64(n))
		}
		winner := oneWins(t, n, func(i int) error { return f.Sessions.InsertSession(ctx, rows[i]) })
		f.holds(t, rows[winner])
		want(t, f.findIn(t, rows), 1)
	}
}

func raceExpiredSlot(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		expired := session(f.clock, fmt.Sprint(n))
		expired.Slot, expired.Expires = decimal(int64(n)), f.clock.after(time.Second)
		f.insertSessions(t, expired)
		f.clock.set(expired.Expires)
		rows := make([]store.Session, n)
		for i := range rows {
			rows[i] = session(f.clock, fmt.Sprint(n, " ", i))
			rows[i].Slot = expired.Slot
		}
		winner := oneWins(t, n, func(i int) error { return f.Sessions.InsertSession(ctx, rows[i]) })
		f.holds(t, rows[winner])
		f.lacks(t, expired)
		want(t, f.findIn(t, rows), 1)
	}
}

func raceDigest(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		rows := make([]store.Session, n)
		for i := range rows {
			rows[i] = session(f.clock, fmt.Sprint(n))
		}
		winner := oneWins(t, n, func(i int) error { return f.Sessions.InsertSession(ctx, rows[i]) })
		f.holds(t, rows[winner])
		want(t, f.findIn(t, rows), 1)
	}
}

// findIn returns how many of rows the store has.
func (f *fixture) findIn(t *testing.T, rows []store.Session) int {
	t.Helper()
	var ids []any
	for _, s := range rows {
		ids = append(ids, s.ID)
	}
	return len(f.find(t, where(store.FieldID, store.In, ids...)))
}

func raceRevoke(t *testing.T, f *fixture) {
	ctx := t.Context()
	for round := range 20 {
		old := fullSession(f.clock, fmt.Sprint("old ", round))
		f.insertSessions(t, old)
		next := session(f.clock, fmt.Sprint("next ", round))
		next.Family = old.Family
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				return f.Sessions.ExchangeSession(ctx, old, next)
			}
			_, err := f.Sessions.RevokeSessions(ctx, home, store.SessionMatch{Family: old.Family})
			return err
		})
		ok(t, errs[1])
		if errs[0] != nil {
			refused(t, errs[0], auth.NotFound)
		}
		// Whichever came first, the revocation saw both or neither.
		f.lacks(t, old)
		f.lacks(t, next)
	}
}

func raceMixed(t *testing.T, f *fixture) {
	ctx := t.Context()
	for i, err := range atOnce(16, func(i int) error {
		if i%8 == 7 {
			return f.disturb(ctx)
		}
		return f.cycle(ctx, i)
	}) {
		if err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	}
	want(t, len(f.find(t, store.SessionQuery{})), 0)
}

// cycle issues, reads, exchanges and revokes sessions of its own.
func (f *fixture) cycle(ctx context.Context, caller int) error {
	for n := range 10 {
		s := fullSession(f.clock, fmt.Sprint(caller, " ", n))
		if err := f.Sessions.InsertSession(ctx, s); err != nil {
			return err
		}
		got, err := f.Sessions.Session(ctx, home, store.SessionRef{Digest: s.Digest})
		if err != nil || got.ID != s.ID {
			return fmt.Errorf("reads %q for %q: %w", got.ID, s.ID, err)
		}
		if err := f.Sessions.ExchangeSession(ctx, got); err != nil {
			return err
		}
		removed, err := f.Sessions.RevokeSessions(ctx, home, store.SessionMatch{Subject: s.Subject})
		if err != nil || removed != 1 {
			return fmt.Errorf("revokes %d: %w", removed, err)
		}
		if _, err := f.Sessions.Session(ctx, home, store.SessionRef{ID: s.ID}); auth.CodeOf(err) != auth.NotFound {
			return fmt.Errorf("a revoked session is there: %w", err)
		}
	}
	return nil
}

// disturb sweeps and searches meanwhile.
func (f *fixture) disturb(ctx context.Context) error {
	for range 10 {
		if n, err := f.Sessions.SweepSessions(ctx, 5); err != nil || n != 0 {
			return fmt.Errorf("sweeps %d: %w", n, err)
		}
		if _, _, err := f.Sessions.FindSessions(ctx, home, store.SessionQuery{}); err != nil {
			return err
		}
	}
	return nil
}

func raceBatches(t *testing.T, f *fixture) {
	ctx := t.Context()
	const n = 16
	batches := make([][]store.Session, n)
	for i := range batches {
		shared := session(f.clock, fmt.Sprint("shared ", i/2)) // each pair of batches has a digest in common
		batches[i] = []store.Session{session(f.clock, fmt.Sprint("a", i)), shared, session(f.clock, fmt.Sprint("b", i))}
	}
	errs := atOnce(n, func(i int) error { return f.Sessions.InsertSession(ctx, batches[i]...) })
	for i, err := range errs {
		present := 3
		if err != nil {
			refused(t, err, auth.Conflict)
			present = 0
		}
		want(t, f.findIn(t, batches[i]), present)
	}
	want(t, len(f.find(t, store.SessionQuery{})), 3*n/2)
	f.reopen(t)
	want(t, len(f.find(t, store.SessionQuery{})), 3*n/2)
}

func raceAccount(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		a := f.insertAccounts(t, fmt.Sprint("ana", n))[0]
		before := f.latest(t)
		winner := oneWins(t, n, func(i int) error {
			mine := a
			mine.Email = fmt.Sprintf("%d@%d.example", i, n)
			return f.Accounts.UpdateAccount(ctx, mine)
		})
		a.Version++
		a.Email = fmt.Sprintf("%d@%d.example", winner, n)
		want(t, f.account(t, a.Email), a)
		want(t, len(f.since(t, before)), 1)
	}
}

func raceUsername(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		rows := make([]store.Account, n)
		for i := range rows {
			rows[i] = account([]string{"admin", "ADMIN", "ａdmin"}[i%3] + decimal(int64(n)))
			if i%4 == 3 {
				rows[i].Username, rows[i].Email = fmt.Sprint("x", i), rows[i].Username
			}
		}
		winner := oneWins(t, n, func(i int) error { return f.Accounts.InsertAccount(ctx, rows[i]) })
		want(t, f.account(t, "admin"+decimal(int64(n))), rows[winner])
	}
	all, err := f.Accounts.ListAccounts(ctx, home, store.Page{})
	ok(t, err)
	want(t, len(all), len(crowds))
}

func raceRename(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		rows := make([]store.Account, n)
		for i := range rows {
			rows[i] = f.insertAccounts(t, fmt.Sprintf("%d-%d", n, i))[0]
		}
		winner := oneWins(t, n, func(i int) error {
			mine := rows[i]
			mine.Username = fmt.Sprint("boss", n)
			return f.Accounts.UpdateAccount(ctx, mine)
		})
		want(t, f.account(t, fmt.Sprint("boss", n)).ID, rows[winner].ID)
	}
}

func raceKey(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		k := f.insertKey(t, key(fmt.Sprint(n)))
		first := k.Digest
		digest := func(i int) auth.Digest { return auth.DigestOf(fmt.Sprint(n, " rotated ", i)) }
		winner := oneWins(t, n, func(i int) error {
			mine := k
			mine.Digest = digest(i)
			return f.Keys.UpdateKey(ctx, mine)
		})
		k.Version++
		k.Digest = digest(winner)
		want(t, f.key(t, k.ID), k)
		for i := range n {
			if i != winner {
				_, err := f.Keys.KeyByDigest(ctx, home, digest(i))
				refused(t, err, auth.NotFound)
			}
		}
		_, err := f.Keys.KeyByDigest(ctx, home, first)
		refused(t, err, auth.NotFound)
	}
}

func raceKeyDigest(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		oneWins(t, n, func(int) error {
			_, err := f.Keys.InsertKey(ctx, key(fmt.Sprint(n)))
			return err
		})
	}
	left, err := f.listKeys(t, store.KeyFilter{}, store.Page{})
	ok(t, err)
	want(t, len(left), len(crowds))
}

func raceTenant(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		name := fmt.Sprint("acme ", n)
		rows := make([]store.Tenant, n)
		for i := range rows {
			rows[i] = tenant([]string{name, "  " + name, "Ａ" + name[1:]}[i%3])
		}
		winner := oneWins(t, n, func(i int) error { return f.Tenants.InsertTenant(ctx, rows[i]) })
		got, err := f.tenant(t, name)
		ok(t, err)
		want(t, got, rows[winner])
	}
}

func raceUnit(t *testing.T, f *fixture) {
	ctx := t.Context()
	tn := f.insertTenant(t, "acme")
	for _, n := range crowds {
		rows := make([]store.Unit, n)
		for i := range rows {
			rows[i] = unit(tn, fmt.Sprint("north ", n))
		}
		winner := oneWins(t, n, func(i int) error { return f.Units.InsertUnit(ctx, rows[i]) })
		got, err := f.unit(t, tn.ID, fmt.Sprint("north ", n))
		ok(t, err)
		want(t, got, rows[winner])
	}
}
