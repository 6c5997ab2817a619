package policy

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Requirement says who may. All members that are not empty must hold; the
// values of one member are alternatives.
type Requirement struct {
	Roles, Scopes []string
	Permissions   []auth.Permission
	// SameName reports whether two names are spellings of one tenant. nil
	// compares byte for byte.
	SameName func(a, b string) bool
}

// Allow returns nil for a principal who may, else [auth.InsufficientScope]
// with the reason. tenants are the ids or names, any of which the caller must
// belong to, and subjects the ids, any of which it must have, both with their
// placeholders already replaced: with none they do not matter, and an empty
// value is nobody's. Ids are compared exactly.
func (q *Requirement) Allow(p *auth.Principal, tenants, subjects []string) error {
	switch {
	case len(q.Roles) > 0 && !p.HasRole(q.Roles...):
		return insufficient(auth.ReasonRole)
	case len(q.Scopes) > 0 && !p.Scopes.Has(q.Scopes...):
		return insufficient(auth.ReasonScope)
	case len(q.Permissions) > 0 && !slices.ContainsFunc(q.Permissions, func(want auth.Permission) bool {
		return want != 0 && p.Permissions.Has(want)
	}):
		return insufficient(auth.ReasonPermission)
	case len(tenants) > 0 && !slices.ContainsFunc(tenants, func(t string) bool { return q.belongs(p, t) }):
		return insufficient(auth.ReasonTenant)
	case len(subjects) > 0 && (p.Subject == "" || !slices.Contains(subjects, p.Subject)):
		return insufficient(auth.ReasonSubject)
	}
	return nil
}

func insufficient(reason auth.Reason) error { return auth.Fail(auth.InsufficientScope, reason, nil) }

// belongs reports whether the principal is of the tenant with this id or name.
// A credential that is bound to one tenant is good in no other.
func (q *Requirement) belongs(p *auth.Principal, tenant string) bool {
	if tenant == "" {
		return false
	}
	if p.Tenant != "" {
		return q.names(auth.TenantRef{ID: p.Tenant, Name: p.TenantName}, tenant)
	}
	return slices.ContainsFunc(p.Tenants, func(ref auth.TenantRef) bool { return q.names(ref, tenant) })
}

func (q *Requirement) names(ref auth.TenantRef, tenant string) bool {
	return tenant == ref.ID || tenant == ref.Name || q.SameName != nil && ref.Name != "" && q.SameName(tenant, ref.Name)
}
