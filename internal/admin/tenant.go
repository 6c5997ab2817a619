package admin

import (
	"context"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// AddTenant adds an organisation or entity.
func (a *Admin) AddTenant(ctx context.Context, name string) (store.Tenant, error) {
	if err := checkTenantName("tenant", name); err != nil {
		return store.Tenant{}, err
	}
	t := store.Tenant{ID: uuid.NewString(), Realm: a.Realm, Name: name, Created: a.now()}
	return t, taken(a.Store.Tenants.InsertTenant(ctx, t), "there is a tenant %q already", name)
}

func checkTenantName(what, name string) error {
	if name == "" {
		return invalid("a %s needs a name", what)
	}
	if _, err := store.TenantKey(name); err != nil {
		return unfit(what, name, err)
	}
	return nil
}

// Tenant returns a tenant by id or name.
func (a *Admin) Tenant(ctx context.Context, ref string) (store.Tenant, error) {
	t, err := a.Store.Tenants.Tenant(ctx, a.Realm, ref)
	return t, missing(err, "tenant", ref)
}

// DeleteTenant removes a tenant with its units, memberships, keys and sessions.
func (a *Admin) DeleteTenant(ctx context.Context, ref string) (store.Tenant, error) {
	t, err := a.Tenant(ctx, ref)
	if err != nil {
		return t, err
	}
	return t, a.Store.Tenants.DeleteTenant(ctx, a.Realm, t.ID)
}

// Tenants calls yield with each tenant in the order of name.
func (a *Admin) Tenants(ctx context.Context, yield func(store.Tenant) error) error {
	return pages(func(p store.Page) ([]store.Tenant, error) {
		return a.Store.Tenants.ListTenants(ctx, a.Realm, p)
	}, yield)
}

// AddUnit adds a part of a tenant.
func (a *Admin) AddUnit(ctx context.Context, tenant, name string) (store.Unit, error) {
	if err := checkTenantName("unit", name); err != nil {
		return store.Unit{}, err
	}
	t, err := a.Tenant(ctx, tenant)
	if err != nil {
		return store.Unit{}, err
	}
	u := store.Unit{ID: token.NewUnitID(), Realm: a.Realm, Tenant: t.ID, Name: name, Created: a.now()}
	return u, taken(a.Store.Units.InsertUnit(ctx, u), "the tenant has a unit %q already", name)
}

// Unit returns a unit by id or name within its tenant.
func (a *Admin) Unit(ctx context.Context, tenant, ref string) (store.Unit, error) {
	t, err := a.Tenant(ctx, tenant)
	if err != nil {
		return store.Unit{}, err
	}
	u, err := a.Store.Units.Unit(ctx, a.Realm, t.ID, ref)
	return u, missing(err, "unit", ref)
}

// DeleteUnit removes a unit and ends its sessions.
func (a *Admin) DeleteUnit(ctx context.Context, tenant, ref string) (store.Unit, error) {
	u, err := a.Unit(ctx, tenant, ref)
	if err != nil {
		return u, err
	}
	return u, a.Store.Units.DeleteUnit(ctx, a.Realm, u.Tenant, u.ID)
}

// Units calls yield with each unit of a tenant in the order of name.
func (a *Admin) Units(ctx context.Context, tenant string, yield func(store.Unit) error) error {
	t, err := a.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	return pages(func(p store.Page) ([]store.Unit, error) {
		return a.Store.Units.ListUnits(ctx, a.Realm, t.ID, p)
	}, yield)
}
