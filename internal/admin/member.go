package admin

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Member is a membership with the names of what it leads to.
type Member struct {
	Tenant store.Tenant
	// Unit is the zero value where the account has no default unit there.
	Unit  store.Unit
	Roles []string
}

// AddMember makes an account a member of a tenant, with a default unit and
// roles that count there only. What it had there before is replaced.
func (a *Admin) AddMember(ctx context.Context, account, tenant, unit string, roles []string) error {
	if err := checkNames("role", roles); err != nil {
		return err
	}
	row, err := a.Account(ctx, account)
	if err != nil {
		return err
	}
	m, err := a.membership(ctx, tenant, unit)
	if err != nil {
		return err
	}
	m.Account, m.Roles = row.ID, roles
	return a.Store.Memberships.PutMembership(ctx, m)
}

// RemoveMember ends the membership of an account in a tenant; [auth.NotFound]
// where it has none.
func (a *Admin) RemoveMember(ctx context.Context, account, tenant string) error {
	row, err := a.Account(ctx, account)
	if err != nil {
		return err
	}
	t, err := a.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	member, err := a.isMember(ctx, row.ID, t.ID)
	if err != nil {
		return err
	}
	if !member {
		return auth.Fail(auth.NotFound, "", noMember(account, tenant))
	}
	return a.Store.Memberships.DeleteMembership(ctx, a.Realm, row.ID, t.ID)
}

// Members lists the memberships of an account, given by its id. One whose
// tenant goes meanwhile is left out.
func (a *Admin) Members(ctx context.Context, id string) ([]Member, error) {
	rows, err := a.Store.Memberships.MembershipsOf(ctx, a.Realm, id)
	if err != nil {
		return nil, err
	}
	var all []Member
	for _, row := range rows {
		m, err := a.member(ctx, row)
		if auth.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (a *Admin) member(ctx context.Context, row store.Membership) (Member, error) {
	m := Member{Roles: row.Roles}
	var err error
	if m.Tenant, err = a.Store.Tenants.Tenant(ctx, a.Realm, row.Tenant); err != nil || row.Unit == "" {
		return m, err
	}
	m.Unit, err = a.Store.Units.Unit(ctx, a.Realm, row.Tenant, row.Unit)
	if auth.IsNotFound(err) {
		return m, nil // the unit is gone, the membership is not
	}
	return m, err
}

// isMember reports whether an account belongs to a tenant, both by id.
func (a *Admin) isMember(ctx context.Context, account, tenant string) (bool, error) {
	all, err := a.Store.Memberships.MembershipsOf(ctx, a.Realm, account)
	for _, m := range all {
		if m.Tenant == tenant {
			return true, nil
		}
	}
	return false, err
}

// requireMember refuses what is of an account in a tenant that it does not
// belong to: such a key or token would never be good for anything.
func (a *Admin) requireMember(ctx context.Context, account store.Account, tenant store.Tenant) error {
	member, err := a.isMember(ctx, account.ID, tenant.ID)
	if err == nil && !member {
		return auth.Fail(auth.Conflict, "", noMember(account.Username, tenant.Name))
	}
	return err
}
