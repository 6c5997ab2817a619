package admin_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestTenantsAndUnitsHaveTheirNamesOnce(t *testing.T) {
	d := newDesk(t)
	acme := d.tenant("Acme Corp")
	_, err := d.AddTenant(t.Context(), " acme  corp ")
	d.fails(err, auth.Conflict, "already")
	_, err = d.AddTenant(t.Context(), "")
	d.fails(err, auth.Malformed, "needs a name")
	_, err = d.AddTenant(t.Context(), "a\x00b")
	d.fails(err, auth.Malformed, "NUL")
	sales, err := d.AddUnit(t.Context(), "ACME CORP", "Sales")
	d.must(err)
	if _, ok := token.ParseUpperHex(sales.ID); !ok || sales.Tenant != acme.ID {
		t.Errorf("the unit is %+v", sales)
	}
	_, err = d.AddUnit(t.Context(), acme.ID, "SALES")
	d.fails(err, auth.Conflict, "has a unit")
	_, err = d.AddUnit(t.Context(), "Initech", "Sales")
	d.fails(err, auth.NotFound, `no tenant "Initech"`)
	_, err = d.AddUnit(t.Context(), acme.ID, "")
	d.fails(err, auth.Malformed, "a unit needs a name")
}

func TestADeletedTenantTakesItsUnitsAlong(t *testing.T) {
	d := newDesk(t)
	d.tenant("Acme")
	_, err := d.AddUnit(t.Context(), "Acme", "Sales")
	d.must(err)
	_, err = d.AddUnit(t.Context(), "Acme", "Ops")
	d.must(err)
	_, err = d.DeleteUnit(t.Context(), "Acme", "sales")
	d.must(err)
	var left []string
	d.must(d.Units(t.Context(), "Acme", func(u store.Unit) error { left = append(left, u.Name); return nil }))
	if !slices.Equal(left, []string{"Ops"}) {
		t.Errorf("the units are %v", left)
	}
	_, err = d.DeleteUnit(t.Context(), "Acme", "sales")
	d.fails(err, auth.NotFound, `no unit "sales"`)
	_, err = d.DeleteTenant(t.Context(), "acme")
	d.must(err)
	_, err = d.DeleteTenant(t.Context(), "acme")
	d.fails(err, auth.NotFound, `no tenant "acme"`)
	d.fails(d.Units(t.Context(), "Acme", func(store.Unit) error { return nil }), auth.NotFound, "no tenant")
}

func TestAMembershipIsReplacedAndEnded(t *testing.T) {
	d := newDesk(t)
	joe := d.account("joe")
	d.tenant("Acme")
	d.tenant("Umbrella")
	_, err := d.AddUnit(t.Context(), "Acme", "Sales")
	d.must(err)
	d.must(d.AddMember(t.Context(), "joe", "Acme", "Sales", []string{"lead"}))
	d.must(d.AddMember(t.Context(), "joe", "Umbrella", "", nil))
	d.must(d.AddMember(t.Context(), "joe", "Acme", "", []string{"buyer"}))
	d.must(d.RemoveMember(t.Context(), "joe", "Umbrella"))
	members, err := d.Members(t.Context(), joe.ID)
	d.must(err)
	if len(members) != 1 || members[0].Tenant.Name != "Acme" || members[0].Unit.ID != "" || !slices.Equal(members[0].Roles, []string{"buyer"}) {
		t.Errorf("the memberships are %+v", members)
	}
	d.fails(d.RemoveMember(t.Context(), "joe", "Umbrella"), auth.NotFound, `the account "joe" is no member of the tenant "Umbrella"`)
	d.fails(d.AddMember(t.Context(), "joe", "Acme", "Ops", nil), auth.NotFound, `no unit "Ops"`)
	d.fails(d.AddMember(t.Context(), "joe", "Acme", "", []string{"a b"}), auth.Malformed, `role "a b"`)
}

func TestAMembershipOutlivesItsUnit(t *testing.T) {
	d := newDesk(t)
	joe := d.account("joe")
	d.tenant("Acme")
	_, err := d.AddUnit(t.Context(), "Acme", "Sales")
	d.must(err)
	d.must(d.AddMember(t.Context(), "joe", "Acme", "Sales", nil))
	_, err = d.DeleteUnit(t.Context(), "Acme", "Sales")
	d.must(err)
	members, err := d.Members(t.Context(), joe.ID)
	if err != nil || len(members) != 1 || members[0].Unit.ID != "" {
		t.Errorf("the memberships are %+v (%v)", members, err)
	}
}
