package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Tenants holds a backend to its part of the contract.
func Tenants(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a tenant comes back as it went in, by its id and its name", tenantRoundTrip},
		{"a tenant that is not there is not found", tenantAbsent},
		{"a name that holds spaces is found in any spelling", tenantSpellings},
		{"a name or id that is another's name or id is a conflict", tenantTaken},
		{"a tenant without realm, id or name, or with what cannot be one, is malformed", tenantMalformed},
		{"a delete is idempotent and frees the name", tenantDelete},
		{"a realm neither shows nor touches the tenants of another", tenantRealms},
		{"tenants are listed by folded name, page by page", tenantList},
		{"creation records no change, a delete one of the tenant", tenantChanges},
	})
}

func (f *fixture) tenant(t *testing.T, ref string) (store.Tenant, error) {
	t.Helper()
	return f.Tenants.Tenant(t.Context(), home, ref)
}

func tenantRoundTrip(t *testing.T, f *fixture) {
	row := tenant("Muster & Söhne 🏠")
	row.Created = time.Date(2026, 7, 1, 1, 2, 3, 4_567_890, time.FixedZone("far", -5*3600))
	ok(t, f.Tenants.InsertTenant(t.Context(), row))
	row.Created = store.Precise(row.Created)
	bare := f.insertTenant(t, "bare")
	for range 2 {
		for _, ref := range []string{row.ID, row.Name} {
			got, err := f.tenant(t, ref)
			ok(t, err)
			want(t, got, row)
		}
		got, err := f.tenant(t, "bare")
		ok(t, err)
		want(t, got, bare)
		f.reopen(t)
	}
}

func tenantAbsent(t *testing.T, f *fixture) {
	f.insertTenant(t, "acme")
	refs := []string{"", " ", "acm", "acme%", "a_me", uuid.NewString(), strings.Repeat("a", 1<<16)}
	for _, odd := range oddStrings() {
		refs = append(refs, odd)
	}
	for _, ref := range refs {
		_, err := f.tenant(t, ref)
		refused(t, err, auth.NotFound)
	}
}

func tenantSpellings(t *testing.T, f *fixture) {
	row := f.insertTenant(t, "  Acme   Trading ")
	for _, ref := range []string{"acme trading", "ACME\u00a0TRADING", "Ａcme  Trading", " acme trading  ", strings.ToUpper(row.ID)} {
		got, err := f.tenant(t, ref)
		ok(t, err)
		want(t, got, row)
	}
	_, err := f.tenant(t, "acmetrading")
	refused(t, err, auth.NotFound)
}

func tenantTaken(t *testing.T, f *fixture) {
	taken := f.insertTenant(t, "Acme Trading")
	for name, row := range map[string]store.Tenant{
		"the name":         {ID: uuid.NewString(), Name: "Acme Trading"},
		"the name, folded": {ID: uuid.NewString(), Name: "ＡCME  trading"},
		"the id as name":   {ID: uuid.NewString(), Name: strings.ToUpper(taken.ID)},
		"the id":           {ID: taken.ID, Name: "other"},
		"the name as id":   {ID: "acme trading", Name: "other"},
	} {
		row.Realm = home
		if err := f.Tenants.InsertTenant(t.Context(), row); err == nil || auth.CodeOf(err) != auth.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	rows, err := f.Tenants.ListTenants(t.Context(), home, store.Page{})
	ok(t, err)
	want(t, rows, []store.Tenant{taken})
	_, err = f.tenant(t, "other")
	refused(t, err, auth.NotFound)
}

func tenantMalformed(t *testing.T, f *fixture) {
	for _, row := range []store.Tenant{
		{ID: uuid.NewString(), Name: "acme"},
		{Realm: home, Name: "acme"},
		{Realm: home, ID: uuid.NewString()},
		{Realm: home, ID: uuid.NewString(), Name: "   "},
		{Realm: home, ID: uuid.NewString(), Name: "a\x00b"},
		{Realm: home, ID: uuid.NewString(), Name: "a\xffb"},
		{Realm: home, ID: uuid.NewString(), Name: strings.Repeat("a", 257)},
	} {
		refused(t, f.Tenants.InsertTenant(t.Context(), row), auth.Malformed)
	}
}

func tenantDelete(t *testing.T, f *fixture) {
	row, other := f.insertTenant(t, "acme"), f.insertTenant(t, "other")
	for range 2 {
		ok(t, f.Tenants.DeleteTenant(t.Context(), home, row.ID))
	}
	ok(t, f.Tenants.DeleteTenant(t.Context(), home, "nothing"))
	for _, ref := range []string{row.ID, row.Name} {
		_, err := f.tenant(t, ref)
		refused(t, err, auth.NotFound)
	}
	_, err := f.tenant(t, other.ID)
	ok(t, err)
	ok(t, f.Tenants.InsertTenant(t.Context(), row))
}

func tenantRealms(t *testing.T, f *fixture) {
	row := f.insertTenant(t, "acme")
	_, err := f.Tenants.Tenant(t.Context(), foreign, "acme")
	refused(t, err, auth.NotFound)
	theirs := row
	theirs.Realm, theirs.Name = foreign, "ACME"
	ok(t, f.Tenants.InsertTenant(t.Context(), theirs))
	got, err := f.tenant(t, "acme")
	ok(t, err)
	want(t, got, row)
	ok(t, f.Tenants.DeleteTenant(t.Context(), foreign, row.ID))
	_, err = f.tenant(t, "acme")
	ok(t, err)
	rows, err := f.Tenants.ListTenants(t.Context(), foreign, store.Page{})
	ok(t, err)
	want(t, len(rows), 0)
}

func tenantList(t *testing.T, f *fixture) {
	for _, name := range []string{"charlie co", "Bravo", "zoë", "alfa", "a_b", "alfa 2"} {
		f.insertTenant(t, name)
	}
	pages(t, []string{"a_b", "alfa", "alfa 2", "Bravo", "charlie co", "zoë"}, func(p store.Page) ([]string, error) {
		rows, err := f.Tenants.ListTenants(t.Context(), home, p)
		return names(rows, func(row store.Tenant) string { return row.Name }), err
	})
}

func tenantChanges(t *testing.T, f *fixture) {
	row := tenant("acme")
	f.records(t, nil, func() { ok(t, f.Tenants.InsertTenant(t.Context(), row)) })
	changed := []store.Change{{Realm: home, Kind: store.TenantChanged, ID: row.ID}}
	f.records(t, changed, func() { ok(t, f.Tenants.DeleteTenant(t.Context(), home, row.ID)) })
}
