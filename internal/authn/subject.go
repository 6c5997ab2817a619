package authn

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// subject fills in who the credential speaks for, in a tenant or, with "", in
// all of the account's.
func (l *lookup) subject(ctx context.Context, id, tenant string) error {
	l.p.Subject, l.p.Tenant = id, tenant
	if strings.HasPrefix(id, keySubject) {
		l.p.Username = id
		return l.keyTenant(ctx, tenant)
	}
	a, err := l.rows.Accounts.Account(ctx, l.realm, id)
	if err != nil {
		return absent(err)
	}
	if a.ID != id {
		return refused(auth.ReasonUnknown) // id was another account's name
	}
	if a.Disabled {
		return refused(auth.ReasonDisabled)
	}
	l.on(store.SubjectChanged, a.ID)
	l.p.Username, l.p.Roles = a.Username, a.Roles
	l.restrict(a.Addresses)
	return l.memberships(ctx, tenant)
}

func (l *lookup) keyTenant(ctx context.Context, tenant string) error {
	if tenant == "" {
		return nil
	}
	return l.tenant(ctx, tenant)
}

// memberships adds the tenants that the credential is good in, and the roles
// of the one it is bound to. Roles of a tenant count there only.
func (l *lookup) memberships(ctx context.Context, tenant string) error {
	all, err := l.rows.Memberships.MembershipsOf(ctx, l.realm, l.p.Subject)
	if err != nil {
		return err
	}
	for _, m := range all {
		if tenant != "" && m.Tenant != tenant {
			continue
		}
		if err := l.tenant(ctx, m.Tenant); err != nil {
			return err
		}
		if tenant != "" {
			l.p.Roles = append(slices.Clone(l.p.Roles), m.Roles...)
		}
	}
	if tenant != "" && len(l.p.Tenants) == 0 {
		return refused(auth.ReasonTenant) // no longer a member
	}
	return nil
}

func (l *lookup) tenant(ctx context.Context, id string) error {
	t, err := l.rows.Tenants.Tenant(ctx, l.realm, id)
	if err != nil {
		return absent(err)
	}
	l.on(store.TenantChanged, t.ID)
	l.p.Tenants = append(l.p.Tenants, auth.TenantRef{ID: t.ID, Name: t.Name})
	if l.p.Tenant == t.ID {
		l.p.TenantName = t.Name
	}
	return nil
}
