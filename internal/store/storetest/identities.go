package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Identities holds a backend to its part of the contract. It needs accounts.
func Identities(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"an identity comes back as it went in", identityRoundTrip},
		{"an identity that is not there is not found", identityAbsent},
		{"an id that the realm has is a conflict", identityTaken},
		{"an identity of an account that is not there is not found", identityDangling},
		{"unless there is any means any of the account, and of the realm", identityUnlessAny},
		{"an identity without id, realm or account is malformed", identityMalformed},
		{"the identities of an account are listed oldest first, then by id", identityList},
		{"an update replaces the row and adds one to its version", identityUpdate},
		{"an update of another version is a conflict and changes nothing", identityStale},
		{"an update of an identity that is gone, or to an account that is not there, is not found", identityUpdateAbsent},
		{"an identity that moves is a change of both accounts, one that stays of none", identityChanges},
		{"an identity that moved goes with the account that it moved to", identityMoved},
		{"a realm neither shows nor touches the identities of another", identityRealms},
		{"odd text comes back as it went in or is refused", identityOddText},
		{"times are kept to the millisecond in UTC, and the epoch is not the zero time", identityTimes},
		{"of two and of fifty first identities of one account one is added", raceFirstIdentity},
		{"of two and of fifty updates of one identity one wins", raceIdentity},
	})
}

// identity is an identity of a, with nothing that it could be without.
func identity(a store.Account) store.Identity {
	return store.Identity{ID: uuid.NewString(), Realm: a.Realm, Account: a.ID}
}

func fullIdentity(c *clock, a store.Account) store.Identity {
	i := identity(a)
	i.Type, i.Created, i.Updated, i.Version = "password", c.after(-time.Hour), c.after(-time.Minute), 5
	return i
}

func (f *fixture) insertIdentity(t *testing.T, i store.Identity) store.Identity {
	t.Helper()
	ok(t, f.Identities.InsertIdentity(t.Context(), i, false))
	return i
}

// hasIdentity fails the clause unless the store has exactly this of i, by its
// id and among those of its account.
func (f *fixture) hasIdentity(t *testing.T, i store.Identity) {
	t.Helper()
	got, err := f.Identities.Identity(t.Context(), i.Realm, i.ID)
	ok(t, err)
	want(t, got, i)
	for _, row := range f.identities(t, i.Account) {
		if row.ID == i.ID {
			want(t, row, i)
			return
		}
	}
	t.Fatalf("identity %s is not among those of its account", i.ID)
}

func (f *fixture) lacksIdentity(t *testing.T, realm, id string) {
	t.Helper()
	_, err := f.Identities.Identity(t.Context(), realm, id)
	refused(t, err, auth.NotFound)
}

func (f *fixture) identities(t *testing.T, account string) []store.Identity {
	t.Helper()
	rows, err := f.Identities.IdentitiesOf(t.Context(), home, account)
	ok(t, err)
	return rows
}

func identityRoundTrip(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	rows := []store.Identity{f.insertIdentity(t, fullIdentity(f.clock, a)), f.insertIdentity(t, identity(a))}
	for range 2 {
		for _, i := range rows {
			f.hasIdentity(t, i)
		}
		f.reopen(t)
	}
}

func identityAbsent(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	i := f.insertIdentity(t, identity(a[0]))
	for _, id := range []string{uuid.NewString(), "", "%", i.ID + " ", a[0].ID} {
		f.lacksIdentity(t, home, id)
	}
	for _, odd := range oddStrings() {
		f.lacksIdentity(t, home, odd)
		want(t, len(f.identities(t, odd)), 0)
	}
	for _, account := range []string{a[1].ID, uuid.NewString(), "", "ana"} {
		want(t, len(f.identities(t, account)), 0)
	}
}

func identityTaken(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	i := f.insertIdentity(t, fullIdentity(f.clock, a[0]))
	again := identity(a[1])
	again.ID = i.ID
	for _, unlessAny := range []bool{false, true} {
		refused(t, f.Identities.InsertIdentity(t.Context(), again, unlessAny), auth.Conflict)
	}
	f.hasIdentity(t, i)
	want(t, len(f.identities(t, a[1].ID)), 0)
}

func identityDangling(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	theirs := identity(a)
	theirs.Realm = foreign
	for _, i := range []store.Identity{identity(account("nobody")), theirs} {
		for _, unlessAny := range []bool{false, true} {
			refused(t, f.Identities.InsertIdentity(t.Context(), i, unlessAny), auth.NotFound)
		}
		f.lacksIdentity(t, i.Realm, i.ID)
	}
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, a.ID))
	refused(t, f.Identities.InsertIdentity(t.Context(), identity(a), false), auth.NotFound)
}

func identityUnlessAny(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	first := identity(a[0])
	ok(t, f.Identities.InsertIdentity(t.Context(), first, true))
	refused(t, f.Identities.InsertIdentity(t.Context(), identity(a[0]), true), auth.Conflict)
	want(t, f.identities(t, a[0].ID), []store.Identity{first})
	f.insertIdentity(t, identity(a[0]))
	ok(t, f.Identities.InsertIdentity(t.Context(), identity(a[1]), true))

	theirs := a[0]
	theirs.Realm = foreign
	ok(t, f.Accounts.InsertAccount(t.Context(), theirs))
	ok(t, f.Identities.InsertIdentity(t.Context(), identity(theirs), true))

	first.Account = a[1].ID // one that has none any more may have a first again
	ok(t, f.Identities.UpdateIdentity(t.Context(), first))
	rest := f.identities(t, a[0].ID)
	rest[0].Account = a[1].ID
	ok(t, f.Identities.UpdateIdentity(t.Context(), rest[0]))
	ok(t, f.Identities.InsertIdentity(t.Context(), identity(a[0]), true))
}

func identityMalformed(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	existing := f.insertIdentity(t, identity(a))
	for _, change := range []func(*store.Identity){
		func(i *store.Identity) { i.ID = "" },
		func(i *store.Identity) { i.Realm = "" },
		func(i *store.Identity) { i.Account = "" },
		func(i *store.Identity) { i.Type = "a\x00b" },
		func(i *store.Identity) { i.ID = "a\xff" },
	} {
		inserted, updated := identity(a), existing
		change(&inserted)
		change(&updated)
		refused(t, f.Identities.InsertIdentity(t.Context(), inserted, false), auth.Malformed)
		refused(t, f.Identities.UpdateIdentity(t.Context(), updated), auth.Malformed)
	}
	want(t, f.identities(t, a.ID), []store.Identity{existing})
}

func identityList(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	var rows []store.Identity
	for n, age := range []time.Duration{3, 1, 2, 1, 1} {
		i := identity(a[0])
		i.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", 9-n)
		i.Created = f.clock.after(-age * time.Millisecond)
		rows = append(rows, f.insertIdentity(t, i))
	}
	f.insertIdentity(t, identity(a[1]))
	want(t, f.identities(t, a[0].ID), []store.Identity{rows[0], rows[2], rows[4], rows[3], rows[1]})
}

func identityUpdate(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	i, other := f.insertIdentity(t, fullIdentity(f.clock, a[0])), f.insertIdentity(t, identity(a[0]))
	i.Type, i.Created, i.Updated = "", f.clock.Now(), f.clock.after(time.Hour)
	ok(t, f.Identities.UpdateIdentity(t.Context(), i))
	i.Version++
	f.hasIdentity(t, i)
	i.Account = a[1].ID
	ok(t, f.Identities.UpdateIdentity(t.Context(), i))
	i.Version++
	for range 2 {
		f.hasIdentity(t, i)
		want(t, f.identities(t, a[0].ID), []store.Identity{other})
		want(t, f.identities(t, a[1].ID), []store.Identity{i})
		f.reopen(t)
	}
}

func identityStale(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	i := f.insertIdentity(t, fullIdentity(f.clock, a[0]))
	for _, version := range []int64{i.Version - 1, i.Version + 1} {
		stale := i
		stale.Version, stale.Account = version, a[1].ID
		f.records(t, nil, func() {
			refused(t, f.Identities.UpdateIdentity(t.Context(), stale), auth.Conflict)
		})
	}
	f.hasIdentity(t, i)
	want(t, len(f.identities(t, a[1].ID)), 0)
}

func identityUpdateAbsent(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	i := f.insertIdentity(t, identity(a))
	gone, dangling, theirs := i, i, i
	gone.ID, dangling.Account, theirs.Realm = uuid.NewString(), uuid.NewString(), foreign
	f.records(t, nil, func() {
		for _, bad := range []store.Identity{gone, dangling, theirs} {
			refused(t, f.Identities.UpdateIdentity(t.Context(), bad), auth.NotFound)
		}
	})
	f.hasIdentity(t, i)
	f.lacksIdentity(t, home, gone.ID)
	f.lacksIdentity(t, foreign, i.ID)
}

func identityChanges(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	i := identity(a[0])
	f.records(t, nil, func() {
		f.insertIdentity(t, i)
		ok(t, f.Identities.UpdateIdentity(t.Context(), i))
	})
	i.Version++
	i.Account = a[1].ID
	f.records(t, []store.Change{
		{Realm: home, Kind: store.SubjectChanged, ID: a[0].ID},
		{Realm: home, Kind: store.SubjectChanged, ID: a[1].ID},
	}, func() { ok(t, f.Identities.UpdateIdentity(t.Context(), i)) })
}

func identityMoved(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana", "bo")
	moved, own := f.insertIdentity(t, identity(a[0])), f.insertIdentity(t, identity(a[0]))
	moved.Account = a[1].ID
	ok(t, f.Identities.UpdateIdentity(t.Context(), moved))
	moved.Version++
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, a[0].ID))
	f.hasIdentity(t, moved)
	f.lacksIdentity(t, home, own.ID)
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, a[1].ID))
	f.lacksIdentity(t, home, moved.ID)
	f.reopen(t)
	f.lacksIdentity(t, home, moved.ID)
}

func identityRealms(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	i := f.insertIdentity(t, fullIdentity(f.clock, a))
	f.lacksIdentity(t, foreign, i.ID)
	there, err := f.Identities.IdentitiesOf(t.Context(), foreign, a.ID)
	ok(t, err)
	want(t, len(there), 0)

	a.Realm = foreign
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	theirs := i
	theirs.Realm, theirs.Type = foreign, "theirs"
	f.insertIdentity(t, theirs)
	ok(t, f.Identities.UpdateIdentity(t.Context(), theirs))
	f.hasIdentity(t, i)
	ok(t, f.Accounts.DeleteAccount(t.Context(), foreign, a.ID))
	f.hasIdentity(t, i)
	f.lacksIdentity(t, foreign, i.ID)
}

func identityOddText(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	for name, odd := range oddStrings() {
		i := identity(a)
		i.Type = odd
		if kept(t, name, f.Identities.InsertIdentity(t.Context(), i, false)) {
			f.hasIdentity(t, i)
		}
	}
}

func identityTimes(t *testing.T, f *fixture) {
	a := f.insertAccounts(t, "ana")[0]
	fine := time.Date(2026, 3, 29, 2, 59, 59, 123_999_999, time.FixedZone("far", 13*3600))
	for _, at := range []time.Time{fine, {}, time.Unix(0, 0), time.Unix(0, -1)} {
		i := identity(a)
		i.Created, i.Updated = at, at
		f.insertIdentity(t, i)
		i.Created, i.Updated = store.Precise(at), store.Precise(at)
		f.hasIdentity(t, i)
		i.Created, i.Updated = at, at
		ok(t, f.Identities.UpdateIdentity(t.Context(), i))
		i.Version++
		i.Created, i.Updated = store.Precise(at), store.Precise(at)
		f.hasIdentity(t, i)
	}
}

func raceFirstIdentity(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		a := f.insertAccounts(t, fmt.Sprint("ana", n))[0]
		rows := make([]store.Identity, n)
		for i := range rows {
			rows[i] = identity(a)
		}
		winner := oneWins(t, n, func(i int) error { return f.Identities.InsertIdentity(ctx, rows[i], true) })
		want(t, f.identities(t, a.ID), rows[winner:winner+1])
	}
}

func raceIdentity(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, n := range crowds {
		from := f.insertAccounts(t, fmt.Sprint("from", n))[0]
		row := f.insertIdentity(t, identity(from))
		to := make([]store.Account, n)
		for i := range to {
			to[i] = f.insertAccounts(t, fmt.Sprintf("%d-%d", n, i))[0]
		}
		before := f.latest(t)
		winner := oneWins(t, n, func(i int) error {
			mine := row
			mine.Account = to[i].ID
			return f.Identities.UpdateIdentity(ctx, mine)
		})
		row.Account = to[winner].ID
		row.Version++
		f.hasIdentity(t, row)
		want(t, len(f.identities(t, from.ID)), 0)
		want(t, len(f.since(t, before)), 2)
	}
}
