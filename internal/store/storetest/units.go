package storetest

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Units holds a backend to its part of the contract. It needs tenants.
func Units(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a unit comes back as it went in, by its id and its name", unitRoundTrip},
		{"a unit that is not there, or is another tenant's, is not found", unitAbsent},
		{"two tenants may have units of one name", unitPerTenant},
		{"an id of the realm, or a name or id of the tenant, that is taken is a conflict", unitTaken},
		{"a unit of a tenant that is not there is not found", unitDangling},
		{"a unit without realm, tenant, id or name is malformed", unitMalformed},
		{"a delete is idempotent, of that tenant only, and frees the name", unitDelete},
		{"a realm neither shows nor touches the units of another", unitRealms},
		{"the units of a tenant are listed by folded name, page by page", unitList},
		{"creation records no change, a delete one of the tenant", unitChanges},
	})
}

func (f *fixture) insertUnit(t *testing.T, of store.Tenant, name string) store.Unit {
	t.Helper()
	u := unit(of, name)
	ok(t, f.Units.InsertUnit(t.Context(), u))
	return u
}

func (f *fixture) unit(t *testing.T, tenant, ref string) (store.Unit, error) {
	t.Helper()
	return f.Units.Unit(t.Context(), home, tenant, ref)
}

func unitRoundTrip(t *testing.T, f *fixture) {
	tn := f.insertTenant(t, "acme")
	u := unit(tn, "Head  Office")
	u.Created = f.clock.Now()
	ok(t, f.Units.InsertUnit(t.Context(), u))
	for range 2 {
		for _, ref := range []string{u.ID, strings.ToLower(u.ID), u.Name, "head office", "ＨEAD OFFICE"} {
			got, err := f.unit(t, tn.ID, ref)
			ok(t, err)
			want(t, got, u)
		}
		f.reopen(t)
	}
}

func unitAbsent(t *testing.T, f *fixture) {
	tn, other := f.insertTenant(t, "acme"), f.insertTenant(t, "other")
	u := f.insertUnit(t, tn, "north")
	refs := []string{"", " ", "nort", "north%", "n_rth", strings.Repeat("n", 1<<16)}
	for _, odd := range oddStrings() {
		refs = append(refs, odd)
	}
	for _, ref := range refs {
		_, err := f.unit(t, tn.ID, ref)
		refused(t, err, auth.NotFound)
	}
	for _, tenant := range []string{other.ID, "", "nothing"} {
		_, err := f.unit(t, tenant, u.ID)
		refused(t, err, auth.NotFound)
	}
}

func unitPerTenant(t *testing.T, f *fixture) {
	tn, other := f.insertTenant(t, "acme"), f.insertTenant(t, "other")
	a, b := f.insertUnit(t, tn, "north"), f.insertUnit(t, other, "north")
	for _, u := range []store.Unit{a, b} {
		got, err := f.unit(t, u.Tenant, "north")
		ok(t, err)
		want(t, got, u)
	}
}

func unitTaken(t *testing.T, f *fixture) {
	tn, other := f.insertTenant(t, "acme"), f.insertTenant(t, "other")
	taken := f.insertUnit(t, tn, "North Side")
	for name, change := range map[string]func(*store.Unit){
		"the name":                func(u *store.Unit) { u.Name = "North Side" },
		"the name, folded":        func(u *store.Unit) { u.Name = " ｎORTH   side" },
		"the id as name":          func(u *store.Unit) { u.Name = strings.ToLower(taken.ID) },
		"the id":                  func(u *store.Unit) { u.ID = taken.ID },
		"the id, in other tenant": func(u *store.Unit) { u.ID, u.Tenant = taken.ID, other.ID },
		"the name as id":          func(u *store.Unit) { u.ID = "NORTH SIDE" },
	} {
		u := unit(tn, "south")
		change(&u)
		if err := f.Units.InsertUnit(t.Context(), u); err == nil || auth.CodeOf(err) != auth.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	rows, err := f.Units.ListUnits(t.Context(), home, tn.ID, store.Page{})
	ok(t, err)
	want(t, rows, []store.Unit{taken})
}

func unitDangling(t *testing.T, f *fixture) {
	tn := f.insertTenant(t, "acme")
	u := unit(tenant("nothing"), "north")
	refused(t, f.Units.InsertUnit(t.Context(), u), auth.NotFound)
	u.Tenant, u.Realm = tn.ID, foreign
	refused(t, f.Units.InsertUnit(t.Context(), u), auth.NotFound)
	ok(t, f.Tenants.DeleteTenant(t.Context(), home, tn.ID))
	u.Realm = home
	refused(t, f.Units.InsertUnit(t.Context(), u), auth.NotFound)
}

func unitMalformed(t *testing.T, f *fixture) {
	u := unit(f.insertTenant(t, "acme"), "north")
	for _, change := range []func(*store.Unit){
		func(u *store.Unit) { u.Realm = "" },
		func(u *store.Unit) { u.Tenant = "" },
		func(u *store.Unit) { u.ID = "" },
		func(u *store.Unit) { u.Name = "" },
		func(u *store.Unit) { u.Name = " " },
		func(u *store.Unit) { u.Name = "a\x00b" },
		func(u *store.Unit) { u.Name = strings.Repeat("a", 257) },
	} {
		bad := u
		change(&bad)
		refused(t, f.Units.InsertUnit(t.Context(), bad), auth.Malformed)
	}
}

func unitDelete(t *testing.T, f *fixture) {
	tn, other := f.insertTenant(t, "acme"), f.insertTenant(t, "other")
	u := f.insertUnit(t, tn, "north")
	ok(t, f.Units.DeleteUnit(t.Context(), home, other.ID, u.ID))
	_, err := f.unit(t, tn.ID, u.ID)
	ok(t, err)
	for range 2 {
		ok(t, f.Units.DeleteUnit(t.Context(), home, tn.ID, u.ID))
	}
	for _, ref := range []string{u.ID, u.Name} {
		_, err := f.unit(t, tn.ID, ref)
		refused(t, err, auth.NotFound)
	}
	ok(t, f.Units.InsertUnit(t.Context(), u))
}

func unitRealms(t *testing.T, f *fixture) {
	tn := f.insertTenant(t, "acme")
	theirs := tn
	theirs.Realm = foreign
	ok(t, f.Tenants.InsertTenant(t.Context(), theirs))
	u := f.insertUnit(t, tn, "north")
	_, err := f.Units.Unit(t.Context(), foreign, tn.ID, u.ID)
	refused(t, err, auth.NotFound)
	b := u
	b.Realm, b.Name = foreign, "North"
	ok(t, f.Units.InsertUnit(t.Context(), b))
	ok(t, f.Units.DeleteUnit(t.Context(), foreign, tn.ID, u.ID))
	got, err := f.unit(t, tn.ID, "north")
	ok(t, err)
	want(t, got, u)
	rows, err := f.Units.ListUnits(t.Context(), foreign, tn.ID, store.Page{})
	ok(t, err)
	want(t, len(rows), 0)
}

func unitList(t *testing.T, f *fixture) {
	tn, other := f.insertTenant(t, "acme"), f.insertTenant(t, "other")
	f.insertUnit(t, other, "elsewhere")
	for _, name := range []string{"charlie", "Bravo", "zoë", "alfa"} {
		f.insertUnit(t, tn, name)
	}
	pages(t, []string{"alfa", "Bravo", "charlie", "zoë"}, func(p store.Page) ([]string, error) {
		rows, err := f.Units.ListUnits(t.Context(), home, tn.ID, p)
		return names(rows, func(u store.Unit) string { return u.Name }), err
	})
}

func unitChanges(t *testing.T, f *fixture) {
	tn := f.insertTenant(t, "acme")
	u := unit(tn, "north")
	f.records(t, nil, func() { ok(t, f.Units.InsertUnit(t.Context(), u)) })
	changed := []store.Change{{Realm: home, Kind: store.TenantChanged, ID: tn.ID}}
	f.records(t, changed, func() { ok(t, f.Units.DeleteUnit(t.Context(), home, tn.ID, u.ID)) })
}
