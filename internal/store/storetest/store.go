package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Whole holds a backend to the duties of all of its methods.
func Whole(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a method whose context has ended is unavailable and does nothing", wholeCancelled},
		{"a method of a closed store is unavailable, and closing it again does nothing", wholeClosed},
		{"a store that is opened again has everything", wholeReopened},
		{"two stores do not know of each other", wholeApart},
	})
	t.Run("at once", func(t *testing.T) { rowsAtOnce(t, b) })
}

// call is a method with arguments that would do something.
type call struct {
	name string
	do   func(context.Context) error
}

// calls lists every method that takes a context, but Wait: it may return
// without an error where its context ends.
func (f *fixture) calls(h household) []call {
	fresh := session(f.clock, "fresh")
	signer := signingKey(f.clock, "signer")
	return append(f.reads(h), []call{
		{"InsertAccount", func(c context.Context) error { return f.Accounts.InsertAccount(c, account("fresh")) }},
		{"UpdateAccount", func(c context.Context) error { return f.Accounts.UpdateAccount(c, h.account) }},
		{"TouchAccount", func(c context.Context) error { return f.Accounts.TouchAccount(c, home, h.account.ID, f.clock.Now()) }},
		{"DeleteAccount", func(c context.Context) error { return f.Accounts.DeleteAccount(c, home, h.account.ID) }},
		{"PutMembership", func(c context.Context) error {
			return f.Memberships.PutMembership(c, store.Membership{Realm: home, Account: h.account.ID, Tenant: h.tenant.ID})
		}},
		{"DeleteMembership", func(c context.Context) error {
			return f.Memberships.DeleteMembership(c, home, h.account.ID, h.tenant.ID)
		}},
		{"InsertTenant", func(c context.Context) error { return f.Tenants.InsertTenant(c, tenant("fresh")) }},
		{"DeleteTenant", func(c context.Context) error { return f.Tenants.DeleteTenant(c, home, h.tenant.ID) }},
		{"InsertUnit", func(c context.Context) error { return f.Units.InsertUnit(c, unit(h.tenant, "fresh")) }},
		{"DeleteUnit", func(c context.Context) error { return f.Units.DeleteUnit(c, home, h.tenant.ID, h.unit.ID) }},
		{"InsertIdentity", func(c context.Context) error {
			return f.Identities.InsertIdentity(c, identity(h.account), false)
		}},
		{"UpdateIdentity", func(c context.Context) error { return f.Identities.UpdateIdentity(c, h.identity) }},
		{"InsertIdentifier", func(c context.Context) error {
			return f.Identifiers.InsertIdentifier(c, coded(h.account, "fresh"))
		}},
		{"DeleteIdentifier", func(c context.Context) error { return f.Identifiers.DeleteIdentifier(c, home, h.named.ID) }},
		{"InsertKey", func(c context.Context) error {
			_, err := f.Keys.InsertKey(c, key("fresh"))
			return err
		}},
		{"UpdateKey", func(c context.Context) error { return f.Keys.UpdateKey(c, h.ofAccount) }},
		{"TouchKey", func(c context.Context) error { return f.Keys.TouchKey(c, home, h.ofAccount.ID, f.clock.Now()) }},
		{"InsertSession", func(c context.Context) error { return f.Sessions.InsertSession(c, fresh) }},
		{"ExchangeSession", func(c context.Context) error { return f.Sessions.ExchangeSession(c, h.own, fresh) }},
		{"TouchSession", func(c context.Context) error {
			return f.Sessions.TouchSession(c, home, h.own.ID, f.clock.after(time.Minute))
		}},
		{"RevokeSessions", func(c context.Context) error {
			_, err := f.Sessions.RevokeSessions(c, home, store.SessionMatch{ID: h.own.ID})
			return err
		}},
		{"SweepSessions", func(c context.Context) error {
			_, err := f.Sessions.SweepSessions(c, 10)
			return err
		}},
		{"InsertSigningKey", func(c context.Context) error {
			return f.SigningKeys.InsertSigningKey(c, signingKey(f.clock, "fresh"), false)
		}},
		{"UpdateSigningKey", func(c context.Context) error { return f.SigningKeys.UpdateSigningKey(c, signer) }},
		{"RotateSigningKey", func(c context.Context) error {
			return f.SigningKeys.RotateSigningKey(c, signer.ID, signingKey(f.clock, "next"), time.Hour)
		}},
		{"RaiseSigningKey", func(c context.Context) error {
			return f.SigningKeys.RaiseSigningKey(c, signer.ID, time.Hour)
		}},
		{"DeleteSigningKey", func(c context.Context) error { return f.SigningKeys.DeleteSigningKey(c, signer.ID) }},
		{"Record", func(c context.Context) error { return f.Changes.Record(c, store.Change{Kind: store.AllChanged}) }},
		{"TrimChanges", func(c context.Context) error {
			_, err := f.Changes.TrimChanges(c, f.clock.after(time.Hour), 10)
			return err
		}},
	}...)
}

func (f *fixture) reads(h household) []call {
	return []call{
		{"Account", func(c context.Context) error {
			_, err := f.Accounts.Account(c, home, h.account.ID)
			return err
		}},
		{"ListAccounts", func(c context.Context) error {
			_, err := f.Accounts.ListAccounts(c, home, store.Page{})
			return err
		}},
		{"MembershipsOf", func(c context.Context) error {
			_, err := f.Memberships.MembershipsOf(c, home, h.account.ID)
			return err
		}},
		{"Tenant", func(c context.Context) error {
			_, err := f.Tenants.Tenant(c, home, h.tenant.ID)
			return err
		}},
		{"ListTenants", func(c context.Context) error {
			_, err := f.Tenants.ListTenants(c, home, store.Page{})
			return err
		}},
		{"Unit", func(c context.Context) error {
			_, err := f.Units.Unit(c, home, h.tenant.ID, h.unit.ID)
			return err
		}},
		{"ListUnits", func(c context.Context) error {
			_, err := f.Units.ListUnits(c, home, h.tenant.ID, store.Page{})
			return err
		}},
		{"Identity", func(c context.Context) error {
			_, err := f.Identities.Identity(c, home, h.identity.ID)
			return err
		}},
		{"IdentitiesOf", func(c context.Context) error {
			_, err := f.Identities.IdentitiesOf(c, home, h.account.ID)
			return err
		}},
		{"Identifier", func(c context.Context) error {
			_, err := f.Identifiers.Identifier(c, home, h.named.ID)
			return err
		}},
		{"IdentifierNamed", func(c context.Context) error {
			_, err := f.Identifiers.IdentifierNamed(c, home, h.named.Name)
			return err
		}},
		{"IdentifierCoded", func(c context.Context) error {
			_, err := f.Identifiers.IdentifierCoded(c, home, h.coded.Code)
			return err
		}},
		{"IdentifiersOf", func(c context.Context) error {
			_, err := f.Identifiers.IdentifiersOf(c, home, h.account.ID)
			return err
		}},
		{"Key", func(c context.Context) error {
			_, err := f.Keys.Key(c, home, h.ofAccount.ID)
			return err
		}},
		{"KeyByDigest", func(c context.Context) error {
			_, err := f.Keys.KeyByDigest(c, home, h.ofAccount.Digest)
			return err
		}},
		{"ListKeys", func(c context.Context) error {
			_, err := f.Keys.ListKeys(c, home, store.KeyFilter{}, store.Page{})
			return err
		}},
		{"Session", func(c context.Context) error {
			_, err := f.Sessions.Session(c, home, store.SessionRef{ID: h.own.ID})
			return err
		}},
		{"FindSessions", func(c context.Context) error {
			_, _, err := f.Sessions.FindSessions(c, home, store.SessionQuery{})
			return err
		}},
		{"SigningKeys", func(c context.Context) error {
			_, err := f.SigningKeys.SigningKeys(c)
			return err
		}},
		{"Latest", func(c context.Context) error {
			_, err := f.Changes.Latest(c)
			return err
		}},
		{"Since", func(c context.Context) error {
			_, err := f.Changes.Since(c, 0, 10)
			return err
		}},
	}
}

// furnish fills an empty store with one household, a signing key and a change.
func (f *fixture) furnish(t *testing.T) household {
	t.Helper()
	h := f.household(t, "ana")
	f.insertSigning(t, signingKey(f.clock, "signer"))
	ok(t, f.Changes.Record(t.Context(), store.Change{Kind: store.AllChanged}))
	return h
}

// furnished fails the clause unless the store has what furnish put there, and
// nothing else.
func (f *fixture) furnished(t *testing.T, h household) {
	t.Helper()
	f.untouched(t, h)
	accounts, err := f.Accounts.ListAccounts(t.Context(), home, store.Page{})
	ok(t, err)
	tenants, err := f.Tenants.ListTenants(t.Context(), home, store.Page{})
	ok(t, err)
	units, err := f.Units.ListUnits(t.Context(), home, h.tenant.ID, store.Page{})
	ok(t, err)
	keys, err := f.listKeys(t, store.KeyFilter{}, store.Page{})
	ok(t, err)
	want(t, []int{len(accounts), len(tenants), len(units), len(keys)}, []int{1, 1, 1, 3})
	want(t, len(f.find(t, store.SessionQuery{})), 5)
	want(t, f.signing(t), []store.SigningKey{signingKey(f.clock, "signer")})
	want(t, len(f.since(t, 0)), 2) // of the membership, and the one recorded
}

func wholeCancelled(t *testing.T, f *fixture) {
	h := f.furnish(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithTimeout(t.Context(), 0)
	defer cancelLate()
	for _, c := range f.calls(h) {
		for _, ctx := range []context.Context{ended, late} {
			if err := c.do(ctx); err == nil || auth.CodeOf(err) != auth.Unavailable {
				t.Errorf("%s: got %v, want unavailable", c.name, err)
			}
		}
	}
	f.furnished(t, h)
	for _, c := range f.reads(h) {
		if err := c.do(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func wholeClosed(t *testing.T, f *fixture) {
	h := f.furnish(t)
	calls := append(f.calls(h), call{"Wait", func(c context.Context) error { return f.Changes.Wait(c, 0) }})
	ok(t, f.Close())
	for _, c := range calls {
		if err := c.do(t.Context()); err == nil || auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("%s: got %v, want unavailable", c.name, err)
		}
	}
	ok(t, f.Close())
}

func wholeReopened(t *testing.T, f *fixture) {
	h := f.furnish(t)
	changes := f.since(t, 0)
	for range 3 {
		f.reopen(t)
		f.furnished(t, h)
		want(t, f.since(t, 0), changes)
	}
	ok(t, f.Accounts.DeleteAccount(t.Context(), home, h.account.ID))
	f.reopen(t)
	refused(t, f.lookup(t, h.account.ID), auth.NotFound)
	f.lacks(t, h.own)
}

func wholeApart(t *testing.T, f *fixture) {
	h, other := f.furnish(t), open(t, f.backend)
	refused(t, other.lookup(t, h.account.ID), auth.NotFound)
	want(t, other.latest(t), 0)
	want(t, len(other.signing(t)), 0)
	r := &recorder{}
	defer other.Changes.Subscribe(r.told)()
	ok(t, f.Accounts.UpdateAccount(t.Context(), h.account))
	want(t, len(r.all()), 0)
}
