package storetest

import (
	"cmp"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Memberships holds a backend to its part of the contract. It needs accounts
// and tenants.
func Memberships(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"the memberships of an account come back in the order of tenant id", membershipList},
		{"an account without memberships has none", membershipAbsent},
		{"a second membership in a tenant replaces the first", membershipReplace},
		{"a delete is idempotent and leaves the others", membershipDelete},
		{"a membership of an account or tenant that is not there is not found", membershipDangling},
		{"a membership without realm, account or tenant is malformed", membershipMalformed},
		{"a realm neither shows nor touches the memberships of another", membershipRealms},
		{"a put and a delete record a change of the subject", membershipChanges},
		{"a caller may change the roles it was given", membershipCopies},
		{"odd roles come back as they went in or are refused", membershipOddText},
	})
}

// belongs returns a membership of a new account in a new tenant.
func (f *fixture) belongs(t *testing.T, name string) store.Membership {
	t.Helper()
	a, tn := f.insertAccounts(t, name)[0], f.insertTenant(t, name+" inc")
	return store.Membership{Realm: home, Account: a.ID, Tenant: tn.ID}
}

func (f *fixture) memberships(t *testing.T, account string) []store.Membership {
	t.Helper()
	rows, err := f.Memberships.MembershipsOf(t.Context(), home, account)
	ok(t, err)
	return rows
}

func membershipList(t *testing.T, f *fixture) {
	a, other := f.insertAccounts(t, "ana", "bo")[0], f.belongs(t, "cy")
	ok(t, f.Memberships.PutMembership(t.Context(), other))
	var rows []store.Membership
	for _, name := range []string{"one", "two", "three", "four"} {
		m := store.Membership{Realm: home, Account: a.ID, Tenant: f.insertTenant(t, name).ID}
		if name == "two" {
			m.Unit, m.Roles = "0123456789ABCDEF0123456789ABCDEF", []string{"z", "a"}
		}
		ok(t, f.Memberships.PutMembership(t.Context(), m))
		rows = append(rows, m)
	}
	slices.SortFunc(rows, func(a, b store.Membership) int { return cmp.Compare(a.Tenant, b.Tenant) })
	want(t, f.memberships(t, a.ID), rows)
	f.reopen(t)
	want(t, f.memberships(t, a.ID), rows)
	want(t, f.memberships(t, other.Account), []store.Membership{other})
}

func membershipAbsent(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	want(t, len(f.memberships(t, m.Account)), 0)
	want(t, len(f.memberships(t, "nobody")), 0)
	want(t, len(f.memberships(t, "")), 0)
}

func membershipReplace(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	m.Unit, m.Roles = "u", []string{"a", "b"}
	ok(t, f.Memberships.PutMembership(t.Context(), m))
	m.Unit, m.Roles = "", []string{"c"}
	ok(t, f.Memberships.PutMembership(t.Context(), m))
	want(t, f.memberships(t, m.Account), []store.Membership{m})
}

func membershipDelete(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	other := m
	other.Tenant = f.insertTenant(t, "other").ID
	ok(t, f.Memberships.PutMembership(t.Context(), m))
	ok(t, f.Memberships.PutMembership(t.Context(), other))
	for range 2 {
		ok(t, f.Memberships.DeleteMembership(t.Context(), home, m.Account, m.Tenant))
	}
	ok(t, f.Memberships.DeleteMembership(t.Context(), home, "nobody", "nothing"))
	want(t, f.memberships(t, m.Account), []store.Membership{other})
	f.account(t, m.Account)
}

func membershipDangling(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	for _, change := range []func(*store.Membership){
		func(m *store.Membership) { m.Account = uuid.NewString() },
		func(m *store.Membership) { m.Tenant = uuid.NewString() },
		func(m *store.Membership) { m.Realm = foreign },
	} {
		dangling := m
		change(&dangling)
		f.records(t, nil, func() {
			refused(t, f.Memberships.PutMembership(t.Context(), dangling), auth.NotFound)
		})
	}
	want(t, len(f.memberships(t, m.Account)), 0)
}

func membershipMalformed(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	for _, change := range []func(*store.Membership){
		func(m *store.Membership) { m.Account = "" },
		func(m *store.Membership) { m.Tenant = "" },
		func(m *store.Membership) { m.Realm = "" },
		func(m *store.Membership) { m.Roles = tooMany() },
	} {
		incomplete := m
		change(&incomplete)
		refused(t, f.Memberships.PutMembership(t.Context(), incomplete), auth.Malformed)
	}
}

func membershipRealms(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	a, err := f.Accounts.Account(t.Context(), home, m.Account)
	ok(t, err)
	tn, err := f.Tenants.Tenant(t.Context(), home, m.Tenant)
	ok(t, err)
	a.Realm, tn.Realm = foreign, foreign
	ok(t, f.Accounts.InsertAccount(t.Context(), a))
	ok(t, f.Tenants.InsertTenant(t.Context(), tn))
	theirs := m
	theirs.Realm, theirs.Roles = foreign, []string{"guest"}
	ok(t, f.Memberships.PutMembership(t.Context(), m))
	ok(t, f.Memberships.PutMembership(t.Context(), theirs))
	want(t, f.memberships(t, m.Account), []store.Membership{m})
	ok(t, f.Memberships.DeleteMembership(t.Context(), foreign, m.Account, m.Tenant))
	want(t, f.memberships(t, m.Account), []store.Membership{m})
	rows, err := f.Memberships.MembershipsOf(t.Context(), foreign, m.Account)
	ok(t, err)
	want(t, len(rows), 0)
}

func membershipChanges(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	changed := []store.Change{{Realm: home, Kind: store.SubjectChanged, ID: m.Account}}
	for range 2 {
		f.records(t, changed, func() { ok(t, f.Memberships.PutMembership(t.Context(), m)) })
	}
	f.records(t, changed, func() {
		ok(t, f.Memberships.DeleteMembership(t.Context(), home, m.Account, m.Tenant))
	})
}

func membershipCopies(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	given := m
	m.Roles, given.Roles = []string{"a", "b"}, []string{"a", "b"}
	ok(t, f.Memberships.PutMembership(t.Context(), given))
	given.Roles[0] = "spoilt"
	rows := f.memberships(t, m.Account)
	want(t, rows, []store.Membership{m})
	rows[0].Roles[0] = "spoilt"
	want(t, f.memberships(t, m.Account), []store.Membership{m})
}

func membershipOddText(t *testing.T, f *fixture) {
	m := f.belongs(t, "ana")
	for name, odd := range oddStrings() {
		m.Roles = []string{odd, "", "second"}
		if kept(t, name, f.Memberships.PutMembership(t.Context(), m)) {
			want(t, f.memberships(t, m.Account), []store.Membership{m})
		}
	}
}
