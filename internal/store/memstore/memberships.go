package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// membershipID is what a membership is found by within a realm.
type membershipID struct{ account, tenant string }

// of reports whether a session is one of the account in the tenant.
func (m membershipID) of(s store.Session) bool {
	return s.Subject == m.account && s.Tenant == m.tenant && m.tenant != ""
}

func (m *memory) PutMembership(ctx context.Context, row store.Membership) error {
	if err := row.Check(); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(row.Realm)
		if !r.owned(row.Account, row.Tenant) {
			return nil, notFound()
		}
		row.Roles = slices.Clone(row.Roles)
		at := membershipID{row.Account, row.Tenant}
		if _, ok := r.memberships[at]; !ok {
			r.dropSessions(at.of)
		}
		r.memberships[at] = row
		return subjectChanged(row.Realm, row.Account), nil
	})
}

func (m *memory) DeleteMembership(ctx context.Context, realm, account, tenant string) error {
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(realm)
		at := membershipID{account, tenant}
		delete(r.memberships, at)
		r.dropSessions(at.of)
		return subjectChanged(realm, account), nil
	})
}

func (m *memory) MembershipsOf(ctx context.Context, realm, account string) (rows []store.Membership, err error) {
	err = m.locked(ctx, func() error {
		for _, row := range m.realm(realm).memberships {
			if row.Account == account {
				row.Roles = slices.Clone(row.Roles)
				rows = append(rows, row)
			}
		}
		return nil
	})
	slices.SortFunc(rows, func(a, b store.Membership) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return rows, err
}

// owned reports whether the account and the tenant are there; "" is nobody.
func (r *realm) owned(account, tenant string) bool {
	if _, ok := r.accounts[account]; !ok && account != "" {
		return false
	}
	_, ok := r.tenants[tenant]
	return ok || tenant == ""
}
