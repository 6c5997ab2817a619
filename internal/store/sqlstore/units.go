package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	insertUnit         = `INSERT INTO units (realm, id, tenant, name, name_key, created) VALUES (?, ?, ?, ?, ?, ?)`
	insertUnitName     = `INSERT INTO unit_names (realm, tenant, name, unit) VALUES (?, ?, ?, ?)`
	selectUnit         = `SELECT realm, id, tenant, name, created FROM units WHERE realm = ? AND tenant = ? `
	unitByName         = selectUnit + `AND id = (SELECT unit FROM unit_names WHERE realm = ? AND tenant = ? AND name = ?)`
	deleteUnitSessions = `DELETE FROM sessions WHERE realm = ? AND tenant <> '' AND tenant = ? AND unit = ?`
	listUnits          = selectUnit + `ORDER BY name_key LIMIT ? OFFSET ?`
)

// InsertUnit implements [store.Units].
func (d *database) InsertUnit(ctx context.Context, u store.Unit) error {
	if err := u.Check(); err != nil {
		return err
	}
	id, err := store.TenantKey(u.ID)
	if err != nil {
		return err
	}
	name, err := store.TenantKey(u.Name)
	if err != nil {
		return err
	}
	return d.writeWhole(ctx, "insert_unit", func(t *tx) error {
		if _, err := t.exec(insertUnit, u.Realm, u.ID, u.Tenant, u.Name, name, millis(u.Created)); err != nil {
			return err
		}
		for _, n := range appendNew([]string{id}, name) {
			if _, err := t.exec(insertUnitName, u.Realm, u.Tenant, n, u.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unit implements [store.Units].
func (d *database) Unit(ctx context.Context, realm, tenant, ref string) (store.Unit, error) {
	name, err := store.TenantKey(ref)
	if err != nil {
		return store.Unit{}, absent()
	}
	return one(ctx, d, "unit", readUnit, unitByName, realm, tenant, realm, tenant, name)
}

// DeleteUnit implements [store.Units]. Memberships whose default unit it was
// have none after it.
func (d *database) DeleteUnit(ctx context.Context, realm, tenant, id string) error {
	return d.writeWhole(ctx, "delete_unit", func(t *tx) error {
		if _, err := t.removeBy(deleteUnitSessions, realm, tenant, id); err != nil {
			return err
		}
		err := t.run([]string{
			`UPDATE memberships SET unit = '' WHERE realm = ? AND tenant = ? AND unit = ?`,
			`DELETE FROM units WHERE realm = ? AND tenant = ? AND id = ?`,
		}, realm, tenant, id)
		if err != nil {
			return err
		}
		return t.record(realm, store.TenantChanged, tenant)
	})
}

// ListUnits implements [store.Units].
func (d *database) ListUnits(ctx context.Context, realm, tenant string, page store.Page) ([]store.Unit, error) {
	page, err := page.Bounds()
	if err != nil {
		return nil, err
	}
	return many(ctx, d, "list_units", readUnit, listUnits, realm, tenant, page.Limit, page.Offset)
}

func readUnit(r scanner) (u store.Unit, err error) {
	err = r.Scan(&u.Realm, &u.ID, &u.Tenant, &u.Name, (*timeColumn)(&u.Created))
	return u, err
}
