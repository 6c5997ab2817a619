package storetest

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Cascades holds a backend to what goes with an account, a tenant or a unit.
// It needs the whole store.
func Cascades(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"with an account go its memberships, identities, identifiers, keys, sessions and those of its keys", cascadeAccount},
		{"with a tenant go its units, memberships, keys, its sessions and those of its keys", cascadeTenant},
		{"with a unit go the sessions of the unit", cascadeUnit},
		{"with a membership go the sessions of the account in the tenant", cascadeMembership},
		{"a membership that comes back takes no session with it that was written after it went", cascadeRejoin},
		{"an account that comes back has nothing of the old one", cascadeAnew},
		{"nothing of an account outlives it when it is deleted at once with what is added", cascadeRace},
	})
}

// household is an account, a tenant and everything that hangs on either, twice:
// once for itself and once for a neighbour that must be left alone.
type household struct {
	account    store.Account
	tenant     store.Tenant
	unit       store.Unit
	membership store.Membership
	identity   store.Identity
	// named and coded are identifiers of the account.
	named, coded store.Identifier
	// ofAccount and ofTenant are keys, ofBoth one of both.
	ofAccount, ofTenant, ofBoth store.Key
	// own is the account's session, inTenant one in the tenant, inUnit one in
	// its unit, byAccountKey and byTenantKey ones that other subjects
	// obtained with those keys.
	own, inTenant, inUnit, byAccountKey, byTenantKey store.Session
}

func (f *fixture) household(t *testing.T, name string) household {
	t.Helper()
	h := household{account: f.insertAccounts(t, name)[0], tenant: f.insertTenant(t, name+" inc")}
	h.unit = f.insertUnit(t, h.tenant, "north")
	h.membership = store.Membership{Realm: home, Account: h.account.ID, Tenant: h.tenant.ID, Roles: []string{"admin"}}
	ok(t, f.Memberships.PutMembership(t.Context(), h.membership))

	h.identity = f.insertIdentity(t, fullIdentity(f.clock, h.account))
	h.named, h.coded = f.insertIdentifier(t, named(h.account, name)), f.insertIdentifier(t, coded(h.account, name))

	owned := func(kind, account, tenant string) store.Key {
		k := key(name + kind)
		k.Account, k.Tenant = account, tenant
		return f.insertKey(t, k)
	}
	h.ofAccount = owned("account", h.account.ID, "")
	h.ofTenant = owned("tenant", "", h.tenant.ID)
	h.ofBoth = owned("both", h.account.ID, h.tenant.ID)

	issued := func(kind string, change func(*store.Session)) store.Session {
		s := session(f.clock, name+kind)
		change(&s)
		f.insertSessions(t, s)
		return s
	}
	h.own = issued("own", func(s *store.Session) { s.Subject = h.account.ID })
	h.inTenant = issued("tenant", func(s *store.Session) { s.Tenant = h.tenant.ID })
	h.inUnit = issued("unit", func(s *store.Session) { s.Tenant, s.Unit = h.tenant.ID, h.unit.ID })
	h.byAccountKey = issued("by account", func(s *store.Session) { s.KeyID = h.ofAccount.ID })
	h.byTenantKey = issued("by tenant", func(s *store.Session) { s.KeyID = h.ofTenant.ID })
	return h
}

// hasKeys fails the clause unless each key is there or gone as present says.
func (f *fixture) hasKeys(t *testing.T, present bool, keys ...store.Key) {
	t.Helper()
	for _, k := range keys {
		_, byID := f.Keys.Key(t.Context(), home, k.ID)
		_, byDigest := f.Keys.KeyByDigest(t.Context(), home, k.Digest)
		for _, err := range []error{byID, byDigest} {
			if present {
				ok(t, err)
				continue
			}
			refused(t, err, auth.NotFound)
		}
	}
}

// untouched fails the clause unless all of h is there.
func (f *fixture) untouched(t *testing.T, h household) {
	t.Helper()
	want(t, f.account(t, h.account.ID), h.account)
	_, err := f.tenant(t, h.tenant.ID)
	ok(t, err)
	_, err = f.unit(t, h.tenant.ID, h.unit.ID)
	ok(t, err)
	want(t, f.memberships(t, h.account.ID), []store.Membership{h.membership})
	want(t, f.identities(t, h.account.ID), []store.Identity{h.identity})
	f.hasIdentifier(t, h.named)
	f.hasIdentifier(t, h.coded)
	f.hasKeys(t, true, h.ofAccount, h.ofTenant, h.ofBoth)
	for _, s := range []store.Session{h.own, h.inTenant, h.inUnit, h.byAccountKey, h.byTenantKey} {
		f.holds(t, s)
	}
}

func keysChanged(keys ...store.Key) []store.Change {
	var changes []store.Change
	for _, k := range keys {
		changes = append(changes, store.Change{Realm: home, Kind: store.KeyChanged, ID: decimal(k.ID)})
	}
	return changes
}

func cascadeAccount(t *testing.T, f *fixture) {
	h, neighbour := f.household(t, "ana"), f.household(t, "bo")
	changes := append(keysChanged(h.ofAccount, h.ofBoth),
		store.Change{Realm: home, Kind: store.SubjectChanged, ID: h.account.ID})
	f.records(t, changes, func() { ok(t, f.Accounts.DeleteAccount(t.Context(), home, h.account.ID)) })
	for range 2 {
		refused(t, f.lookup(t, h.account.ID), auth.NotFound)
		want(t, len(f.memberships(t, h.account.ID)), 0)
		f.lacksIdentity(t, home, h.identity.ID)
		f.lacksIdentifier(t, h.named)
		f.lacksIdentifier(t, h.coded)
		f.hasKeys(t, false, h.ofAccount, h.ofBoth)
		f.lacks(t, h.own)
		f.lacks(t, h.byAccountKey)

		_, err := f.tenant(t, h.tenant.ID)
		ok(t, err)
		f.hasKeys(t, true, h.ofTenant)
		for _, s := range []store.Session{h.inTenant, h.inUnit, h.byTenantKey} {
			f.holds(t, s)
		}
		f.untouched(t, neighbour)
		f.reopen(t)
	}
}

func cascadeTenant(t *testing.T, f *fixture) {
	h, neighbour := f.household(t, "ana"), f.household(t, "bo")
	changes := append(keysChanged(h.ofTenant, h.ofBoth),
		store.Change{Realm: home, Kind: store.TenantChanged, ID: h.tenant.ID})
	f.records(t, changes, func() { ok(t, f.Tenants.DeleteTenant(t.Context(), home, h.tenant.ID)) })
	for range 2 {
		_, err := f.tenant(t, h.tenant.ID)
		refused(t, err, auth.NotFound)
		_, err = f.unit(t, h.tenant.ID, h.unit.ID)
		refused(t, err, auth.NotFound)
		want(t, len(f.memberships(t, h.account.ID)), 0)
		f.hasKeys(t, false, h.ofTenant, h.ofBoth)
		for _, s := range []store.Session{h.inTenant, h.inUnit, h.byTenantKey} {
			f.lacks(t, s)
		}

		want(t, f.account(t, h.account.ID), h.account)
		f.hasIdentity(t, h.identity)
		f.hasIdentifier(t, h.named)
		f.hasKeys(t, true, h.ofAccount)
		f.holds(t, h.own)
		f.holds(t, h.byAccountKey)
		f.untouched(t, neighbour)
		f.reopen(t)
	}
}

func cascadeUnit(t *testing.T, f *fixture) {
	h, neighbour := f.household(t, "ana"), f.household(t, "bo")
	h.membership.Unit = h.unit.ID
	ok(t, f.Memberships.PutMembership(t.Context(), h.membership))
	ok(t, f.Units.DeleteUnit(t.Context(), home, neighbour.tenant.ID, h.unit.ID))
	f.untouched(t, h)
	ok(t, f.Units.DeleteUnit(t.Context(), home, h.tenant.ID, h.unit.ID))
	f.lacks(t, h.inUnit)
	for _, s := range []store.Session{h.own, h.inTenant, h.byAccountKey, h.byTenantKey} {
		f.holds(t, s)
	}
	h.membership.Unit = "" // it has no default unit then
	want(t, f.memberships(t, h.account.ID), []store.Membership{h.membership})
	f.untouched(t, neighbour)
}

func cascadeMembership(t *testing.T, f *fixture) {
	h, neighbour := f.household(t, "ana"), f.household(t, "bo")
	member, abroad := session(f.clock, "member"), session(f.clock, "member abroad")
	member.Subject, member.Tenant = h.account.ID, h.tenant.ID
	abroad.Subject, abroad.Tenant = h.account.ID, neighbour.tenant.ID
	f.insertSessions(t, member, abroad)
	changes := []store.Change{{Realm: home, Kind: store.SubjectChanged, ID: h.account.ID}}
	f.records(t, changes, func() { ok(t, f.Memberships.DeleteMembership(t.Context(), home, h.account.ID, h.tenant.ID)) })
	ok(t, f.Memberships.PutMembership(t.Context(), h.membership))
	f.lacks(t, member)
	f.holds(t, abroad)
	ok(t, f.Memberships.DeleteMembership(t.Context(), home, h.account.ID, ""))
	f.untouched(t, h)
	f.untouched(t, neighbour)
}

func cascadeRejoin(t *testing.T, f *fixture) {
	h, neighbour := f.household(t, "ana"), f.household(t, "bo")
	ok(t, f.Memberships.DeleteMembership(t.Context(), home, h.account.ID, h.tenant.ID))
	late, member := session(f.clock, "late"), session(f.clock, "member")
	late.Subject, late.Tenant = h.account.ID, h.tenant.ID
	member.Subject, member.Tenant = h.account.ID, h.tenant.ID
	f.insertSessions(t, late)
	ok(t, f.Memberships.PutMembership(t.Context(), h.membership))
	f.lacks(t, late)
	f.insertSessions(t, member)
	ok(t, f.Memberships.PutMembership(t.Context(), h.membership)) // which replaces
	f.holds(t, member)
	f.untouched(t, h)
	f.untouched(t, neighbour)
}

func cascadeAnew(t *testing.T, f *fixture) {
	h := f.household(t, "ana")
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, h.account.ID))
	ok(t, f.Tenants.DeleteTenant(t.Context(), home, h.tenant.ID))
	ok(t, f.Accounts.InsertAccount(t.Context(), h.account))
	ok(t, f.Tenants.InsertTenant(t.Context(), h.tenant))
	want(t, len(f.memberships(t, h.account.ID)), 0)
	want(t, len(f.identities(t, h.account.ID)), 0)
	f.lacksIdentifier(t, h.named)
	f.lacksIdentifier(t, h.coded)
	f.hasKeys(t, false, h.ofAccount, h.ofTenant, h.ofBoth)
	want(t, len(f.find(t, store.SessionQuery{})), 0)
	rows, err := f.Units.ListUnits(t.Context(), home, h.tenant.ID, store.Page{})
	ok(t, err)
	want(t, len(rows), 0)
}

func cascadeRace(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, tn := f.insertAccounts(t, "ana")[0], f.insertTenant(t, "acme")
	errs := atOnce(24, func(i int) error {
		switch i % 6 {
		case 0:
			k := key(decimal(int64(i)))
			k.Account, k.Tenant = a.ID, tn.ID
			_, err := f.Keys.InsertKey(ctx, k)
			return err
		case 1:
			return f.Memberships.PutMembership(ctx, store.Membership{Realm: home, Account: a.ID, Tenant: tn.ID})
		case 2:
			return f.Units.InsertUnit(ctx, unit(tn, decimal(int64(i))))
		case 4:
			return f.Identities.InsertIdentity(ctx, identity(a), false)
		case 5:
			return f.Identifiers.InsertIdentifier(ctx, coded(a, decimal(int64(i))))
		}
		if err := f.Tenants.DeleteTenant(ctx, home, tn.ID); err != nil {
			return err
		}
		return f.Accounts.DeleteAccount(ctx, home, a.ID)
	})
	for i, err := range errs {
		if err != nil && (i%6 == 3 || auth.CodeOf(err) != auth.NotFound) {
			t.Fatalf("caller %d: got error %v", i, err)
		}
	}
	want(t, len(f.memberships(t, a.ID)), 0)
	want(t, len(f.identities(t, a.ID)), 0)
	want(t, len(f.identifiers(t, a.ID)), 0)
	left, err := f.listKeys(t, store.KeyFilter{}, store.Page{})
	ok(t, err)
	want(t, len(left), 0)
	units, err := f.Units.ListUnits(ctx, home, tn.ID, store.Page{})
	ok(t, err)
	want(t, len(units), 0)
}
