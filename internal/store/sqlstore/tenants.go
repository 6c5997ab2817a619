package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	insertTenant     = `INSERT INTO tenants (realm, id, name, name_key, created) VALUES (?, ?, ?, ?, ?)`
	insertTenantName = `INSERT INTO tenant_names (realm, name, tenant) VALUES (?, ?, ?)`
	selectTenant     = `SELECT realm, id, name, created FROM tenants `
	tenantByName     = selectTenant + `WHERE realm = ? AND id = (SELECT tenant FROM tenant_names WHERE realm = ? AND name = ?)`
	countTenant      = `SELECT COUNT(*) FROM tenants WHERE realm = ? AND id = ?`
	lockTenant       = `SELECT 1 FROM tenants WHERE realm = ? AND id = ? `
	listTenants      = selectTenant + `WHERE realm = ? ORDER BY name_key LIMIT ? OFFSET ?`
)

// InsertTenant implements [store.Tenants].
func (d *database) InsertTenant(ctx context.Context, row store.Tenant) error {
	if err := row.Check(); err != nil {
		return err
	}
	id, err := store.TenantKey(row.ID)
	if err != nil {
		return err
	}
	name, err := store.TenantKey(row.Name)
	if err != nil {
		return err
	}
	return d.writeWhole(ctx, "insert_tenant", func(t *tx) error {
		if _, err := t.exec(insertTenant, row.Realm, row.ID, row.Name, name, millis(row.Created)); err != nil {
			return err
		}
		for _, n := range appendNew([]string{id}, name) {
			if _, err := t.exec(insertTenantName, row.Realm, n, row.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tenant implements [store.Tenants].
func (d *database) Tenant(ctx context.Context, realm, ref string) (store.Tenant, error) {
	name, err := store.TenantKey(ref)
	if err != nil {
		return store.Tenant{}, absent()
	}
	return one(ctx, d, "tenant", readTenant, tenantByName, realm, realm, name)
}

// DeleteTenant implements [store.Tenants].
func (d *database) DeleteTenant(ctx context.Context, realm, id string) error {
	return d.writeWhole(ctx, "delete_tenant", func(t *tx) error {
		if err := t.lock(lockTenant+`FOR UPDATE`, realm, id); err != nil {
			return err
		}
		if _, err := t.removeBy(`DELETE FROM sessions WHERE realm = ? AND tenant <> '' AND tenant = ?`, realm, id); err != nil {
			return err
		}
		err := t.run([]string{
			`DELETE FROM memberships WHERE realm = ? AND tenant = ?`,
			`DELETE FROM units WHERE realm = ? AND tenant = ?`,
			`DELETE FROM tenants WHERE realm = ? AND id = ?`,
		}, realm, id)
		if err != nil {
			return err
		}
		if err := t.deleteKeys(realm, `tenant <> '' AND tenant = ?`, id); err != nil {
			return err
		}
		return t.record(realm, store.TenantChanged, id)
	})
}

// ListTenants implements [store.Tenants].
func (d *database) ListTenants(ctx context.Context, realm string, page store.Page) ([]store.Tenant, error) {
	page, err := page.Bounds()
	if err != nil {
		return nil, err
	}
	return many(ctx, d, "list_tenants", readTenant, listTenants, realm, page.Limit, page.Offset)
}

func readTenant(r scanner) (t store.Tenant, err error) {
	err = r.Scan(&t.Realm, &t.ID, &t.Name, (*timeColumn)(&t.Created))
	return t, err
}
