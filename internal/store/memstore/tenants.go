package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertTenant(ctx context.Context, t store.Tenant) error {
	if err := t.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(t.Realm)
		keys := []string{tenantKey(t.ID), tenantKey(t.Name)}
		for _, key := range keys {
			if _, taken := r.tenantNames[key]; taken {
				return nil, conflict()
			}
		}
		t.Created = store.Precise(t.Created)
		r.tenants[t.ID] = t
		for _, key := range keys {
			r.tenantNames[key] = t.ID
		}
		return nil, nil
	})
}

func (m *memory) Tenant(ctx context.Context, realm, ref string) (t store.Tenant, err error) {
	err = m.locked(ctx, func() error {
		r := m.realm(realm)
		key, err := store.TenantKey(ref)
		if err != nil {
			return notFound()
		}
		id, ok := r.tenantNames[key]
		if !ok {
			return notFound()
		}
		t = r.tenants[id]
		return nil
	})
	return t, err
}

func (m *memory) DeleteTenant(ctx context.Context, realm, id string) error {
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(realm)
		if t, ok := r.tenants[id]; ok {
			delete(r.tenantNames, tenantKey(t.ID))
			delete(r.tenantNames, tenantKey(t.Name))
			delete(r.tenants, id)
		}
		maps.DeleteFunc(r.units, func(_ string, u store.Unit) bool { return u.Tenant == id })
		maps.DeleteFunc(r.memberships, func(_ membershipID, row store.Membership) bool { return row.Tenant == id })
		changes := tenantChanged(realm, id)
		changes = append(changes, r.dropKeys(func(k store.Key) bool { return k.Tenant == id })...)
		r.dropSessions(func(s store.Session) bool { return s.Tenant == id })
		return changes, nil
	})
}

func (m *memory) ListTenants(ctx context.Context, realm string, page store.Page) (rows []store.Tenant, err error) {
	err = m.locked(ctx, func() error {
		rows = slices.SortedFunc(maps.Values(m.realm(realm).tenants), func(a, b store.Tenant) int {
			return cmp.Compare(tenantKey(a.Name), tenantKey(b.Name))
		})
		rows, err = cut(rows, page)
		return err
	})
	return rows, err
}

// tenantKey folds a name that is known to fold.
func tenantKey(name string) string {
	key, _ := store.TenantKey(name)
	return key
}

func tenantChanged(realm, id string) []store.Change {
	return []store.Change{{Realm: realm, Kind: store.TenantChanged, ID: id}}
}
