package policy_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
)

func TestAllow(t *testing.T) {
	bound := &auth.Principal{
		Tenant: "t1", TenantName: "Acme", Roles: []string{"staff"}, Scopes: auth.Scope{"read"}, Permissions: auth.Read | auth.Create,
	}
	roaming := &auth.Principal{Tenants: []auth.TenantRef{{ID: "t1", Name: "Acme"}, {ID: "t2", Name: "Bell"}}}
	nobody := &auth.Principal{}
	for name, c := range map[string]struct {
		q       policy.Requirement
		p       *auth.Principal
		tenants []string
		reason  auth.Reason // "" is allowed
	}{
		"an empty requirement allows anybody":              {policy.Requirement{}, nobody, nil, ""},
		"one role of several is enough":                    {policy.Requirement{Roles: []string{"admin", "staff"}}, bound, nil, ""},
		"no role of several is not":                        {policy.Requirement{Roles: []string{"admin", "root"}}, bound, nil, auth.ReasonRole},
		"a role in another case is another role":           {policy.Requirement{Roles: []string{"Staff"}}, bound, nil, auth.ReasonRole},
		"one scope of several is enough":                   {policy.Requirement{Scopes: []string{"write", "read"}}, bound, nil, ""},
		"a missing scope is refused":                       {policy.Requirement{Scopes: []string{"write"}}, bound, nil, auth.ReasonScope},
		"one permission of several is enough":              {policy.Requirement{Permissions: []auth.Permission{auth.Write, auth.Create}}, bound, nil, ""},
		"a missing permission is refused":                  {policy.Requirement{Permissions: []auth.Permission{auth.Write}}, bound, nil, auth.ReasonPermission},
		"no bits at all are nobody's permission":           {policy.Requirement{Permissions: []auth.Permission{0}}, bound, nil, auth.ReasonPermission},
		"two bits of one value are both needed":            {policy.Requirement{Permissions: []auth.Permission{auth.Read | auth.Write}}, bound, nil, auth.ReasonPermission},
		"a role does not make up for a scope":              {policy.Requirement{Roles: []string{"staff"}, Scopes: []string{"write"}}, bound, nil, auth.ReasonScope},
		"a tenant by id":                                   {policy.Requirement{}, bound, []string{"t1"}, ""},
		"a tenant by name":                                 {policy.Requirement{}, bound, []string{"Acme"}, ""},
		"one tenant of several is enough":                  {policy.Requirement{}, bound, []string{"t9", "t1"}, ""},
		"another tenant is refused":                        {policy.Requirement{}, bound, []string{"t2"}, auth.ReasonTenant},
		"an empty tenant is nobody's":                      {policy.Requirement{}, nobody, []string{""}, auth.ReasonTenant},
		"an empty tenant is not one without a name":        {policy.Requirement{}, &auth.Principal{Tenant: "t1"}, []string{""}, auth.ReasonTenant},
		"an empty tenant is not a bound caller's":          {policy.Requirement{}, bound, []string{""}, auth.ReasonTenant},
		"a caller without a tenant is of none":             {policy.Requirement{}, nobody, []string{"t1"}, auth.ReasonTenant},
		"a caller of several tenants is of each":           {policy.Requirement{}, roaming, []string{"Bell"}, ""},
		"a caller of several tenants is of no other":       {policy.Requirement{}, roaming, []string{"t3"}, auth.ReasonTenant},
		"a name in another case is another name by itself": {policy.Requirement{}, bound, []string{"ACME"}, auth.ReasonTenant},
		"a name in another case is the same by comparison": {policy.Requirement{SameName: strings.EqualFold}, bound, []string{"ACME"}, ""},
		"an id is never compared as a name is":             {policy.Requirement{SameName: strings.EqualFold}, bound, []string{"T1"}, auth.ReasonTenant},
		"an unknown name is not like an empty one": {
			policy.Requirement{SameName: func(string, string) bool { return true }},
			&auth.Principal{Tenant: "t1"},
			[]string{"t2"},
			auth.ReasonTenant,
		},
		"a bound credential is good in its tenant alone": {
			policy.Requirement{}, &auth.Principal{Tenant: "t1", Tenants: roaming.Tenants}, []string{"t2"}, auth.ReasonTenant,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.q.Allow(c.p, c.tenants, nil)
			if c.reason == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if e := auth.AsError(err); e == nil || e.Code != auth.InsufficientScope || e.Reason != c.reason {
				t.Errorf("got %v, want insufficient_scope: %s", err, c.reason)
			}
		})
	}
}

func TestASubjectIsComparedExactly(t *testing.T) {
	const id = "0b7e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a11"
	ann := &auth.Principal{Subject: id, Username: "ann"}
	for name, c := range map[string]struct {
		p        *auth.Principal
		subjects []string
		may      bool
	}{
		"no subject does not matter":              {ann, nil, true},
		"the id":                                  {ann, []string{id}, true},
		"one of several":                          {ann, []string{"other", id}, true},
		"another id":                              {ann, []string{"other"}, false},
		"a name is no id":                         {ann, []string{"ann"}, false},
		"an id in another case is another":        {ann, []string{strings.ToUpper(id)}, false},
		"a part of an id is none":                 {ann, []string{id[:8]}, false},
		"an empty value is nobody's":              {ann, []string{""}, false},
		"not even that of a caller without an id": {&auth.Principal{}, []string{""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&policy.Requirement{}).Allow(c.p, nil, c.subjects)
			if c.may != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if e := auth.AsError(err); e != nil && (e.Code != auth.InsufficientScope || e.Reason != auth.ReasonSubject) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAllowingAllocatesNothing(t *testing.T) {
	p := &auth.Principal{Tenant: "t1", Roles: []string{"a", "b"}, Scopes: auth.Scope{"r"}, Permissions: auth.Read, Subject: "s1"}
	q := policy.Requirement{Roles: []string{"b"}, Scopes: []string{"r"}, Permissions: []auth.Permission{auth.Read}}
	tenants, subjects := []string{"t1"}, []string{"s1"}
	if n := testing.AllocsPerRun(100, func() {
		if q.Allow(p, tenants, subjects) != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("allowing costs %v allocations", n)
	}
}
