package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	replaceMembership = `UPDATE memberships SET unit = ?, roles = ? WHERE realm = ? AND account = ? AND tenant = ?`
	putMembership     = `INSERT INTO memberships (realm, account, tenant, unit, roles) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (realm, account, tenant) DO UPDATE SET unit = excluded.unit, roles = excluded.roles`
	deleteMembership = `DELETE FROM memberships WHERE realm = ? AND account = ? AND tenant = ?`
	deleteTheirs     = `DELETE FROM sessions WHERE realm = ? AND subject <> '' AND subject = ? AND tenant <> '' AND tenant = ?`
	membershipsOf    = `SELECT realm, account, tenant, unit, roles FROM memberships
		WHERE realm = ? AND account = ? ORDER BY tenant`
)

// PutMembership implements [store.Memberships]. [auth.NotFound] without the
// account or the tenant.
func (d *database) PutMembership(ctx context.Context, m store.Membership) error {
	if err := m.Check(); err != nil {
		return err
	}
	roles := listText(m.Roles)
	return d.writeWhole(ctx, "put_membership", func(t *tx) error {
		n, err := t.exec(replaceMembership, m.Unit, roles, m.Realm, m.Account, m.Tenant)
		if err == nil && n == 0 {
			err = t.join(m, roles)
		}
		if err != nil {
			return err
		}
		return t.record(m.Realm, store.SubjectChanged, m.Account)
	})
}

// join adds a membership. A login that had seen an earlier one may have been
// written after that was deleted.
func (t *tx) join(m store.Membership, roles string) error {
	if _, err := t.removeBy(deleteTheirs, m.Realm, m.Account, m.Tenant); err != nil {
		return err
	}
	_, err := t.exec(putMembership, m.Realm, m.Account, m.Tenant, m.Unit, roles)
	return err
}

// DeleteMembership implements [store.Memberships].
func (d *database) DeleteMembership(ctx context.Context, realm, account, tenant string) error {
	return d.writeWhole(ctx, "delete_membership", func(t *tx) error {
		if _, err := t.exec(deleteMembership, realm, account, tenant); err != nil {
			return err
		}
		if _, err := t.removeBy(deleteTheirs, realm, account, tenant); err != nil {
			return err
		}
		return t.record(realm, store.SubjectChanged, account)
	})
}

// MembershipsOf implements [store.Memberships].
func (d *database) MembershipsOf(ctx context.Context, realm, account string) ([]store.Membership, error) {
	return many(ctx, d, "memberships", readMembership, membershipsOf, realm, account)
}

func readMembership(r scanner) (m store.Membership, err error) {
	err = r.Scan(&m.Realm, &m.Account, &m.Tenant, &m.Unit, (*stringsColumn)(&m.Roles))
	return m, err
}
