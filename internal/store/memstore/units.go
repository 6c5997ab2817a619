package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertUnit(ctx context.Context, u store.Unit) error {
	if err := u.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(u.Realm)
		if _, ok := r.tenants[u.Tenant]; !ok {
			return nil, notFound()
		}
		if r.unitTaken(u) {
			return nil, conflict()
		}
		u.Created = store.Precise(u.Created)
		r.units[u.ID] = u
		return nil, nil
	})
}

// unitTaken reports whether the id is another unit's, or a name of u is one in
// the same tenant.
func (r *realm) unitTaken(u store.Unit) bool {
	if _, ok := r.units[u.ID]; ok {
		return true
	}
	return r.unit(u.Tenant, tenantKey(u.ID)) != nil || r.unit(u.Tenant, tenantKey(u.Name)) != nil
}

// unit returns the unit of the tenant whose id or name folds to key, or nil.
func (r *realm) unit(tenant, key string) *store.Unit {
	for _, u := range r.units {
		if u.Tenant == tenant && (tenantKey(u.ID) == key || tenantKey(u.Name) == key) {
			return &u
		}
	}
	return nil
}

func (m *memory) Unit(ctx context.Context, realm, tenant, ref string) (u store.Unit, err error) {
	err = m.locked(ctx, func() error {
		key, err := store.TenantKey(ref)
		if err != nil {
			return notFound()
		}
		found := m.realm(realm).unit(tenant, key)
		if found == nil {
			return notFound()
		}
		u = *found
		return nil
	})
	return u, err
}

func (m *memory) DeleteUnit(ctx context.Context, realm, tenant, id string) error {
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(realm)
		if u, ok := r.units[id]; ok && u.Tenant == tenant {
			delete(r.units, id)
		}
		for at, row := range r.memberships {
			if row.Tenant == tenant && row.Unit == id {
				row.Unit = ""
				r.memberships[at] = row
			}
		}
		r.dropSessions(func(s store.Session) bool { return s.Tenant == tenant && s.Unit == id })
		return tenantChanged(realm, tenant), nil
	})
}

func (m *memory) ListUnits(ctx context.Context, realm, tenant string, page store.Page) (rows []store.Unit, err error) {
	err = m.locked(ctx, func() error {
		for _, u := range m.realm(realm).units {
			if u.Tenant == tenant {
				rows = append(rows, u)
			}
		}
		slices.SortFunc(rows, func(a, b store.Unit) int { return cmp.Compare(tenantKey(a.Name), tenantKey(b.Name)) })
		rows, err = cut(rows, page)
		return err
	})
	return rows, err
}
