package issuer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// caller returns who a token with these further claims speaks for, where the
// issuer's claims are mapped so.
func caller(t *testing.T, claimed map[string]string, change map[string]any) (auth.Principal, error) {
	t.Helper()
	c := config(alpha)
	c.Claims = claimed
	i, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	members, err := decode(jsonOf(t, claims(alpha, change)))
	if err != nil {
		t.Fatal(err)
	}
	return i.principal(members)
}

func TestTheSubjectIsNobodyElses(t *testing.T) {
	p, err := caller(t, nil, nil)
	if err != nil || p.Subject != alpha+"|8f3a" || p.Username != p.Subject || p.TokenID != "t-1" {
		t.Errorf("got %+v, %v", p, err)
	}
	if p.Tenant != "" || p.Unit != "" || len(p.Roles) > 0 || len(p.Scopes) > 0 || p.Permissions != auth.AllPermissions || p.Dialect != "" || p.KeyID != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestClaimsBecomeWhatTheyAreMappedTo(t *testing.T) {
	p, err := caller(t, map[string]string{
		"subject": "{claim.oid}", "username": "{claim.preferred_username}", "tenant": "{claim.org.id}", "unit": "{claim.unit}",
		"roles": "{claim.realm_access.roles}", "scopes": "{claim.https://example.com/rights}",
	}, map[string]any{
		"oid": "77", "preferred_username": "Änne", "org": map[string]any{"id": "acme"}, "unit": "sales",
		"realm_access":               map[string]any{"roles": []string{"admin", "admin", "two words", "star*", "", "a,b", "viewer"}},
		"https://example.com/rights": "read write", "scope": "not this",
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != alpha+"|77" || p.Username != "Änne" || p.Tenant != "acme" || p.TenantName != "acme" || p.Unit != "sales" {
		t.Errorf("got %+v", p)
	}
	if !slices.Equal(p.Tenants, []auth.TenantRef{{ID: "acme", Name: "acme"}}) {
		t.Errorf("tenants %v", p.Tenants)
	}
	if !slices.Equal(p.Roles, []string{"admin", "viewer"}) || !slices.Equal(p.Scopes, auth.Scope{"read", "write"}) {
		t.Errorf("roles %v, scopes %v", p.Roles, p.Scopes)
	}
}

func TestScopesWhereNothingIsMapped(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]any
		want   []string
	}{
		"scope as a text": {map[string]any{"scope": "a  b a"}, []string{"a", "b"}},
		"scope as a list": {map[string]any{"scope": []string{"a", "b c"}}, []string{"a"}},
		"scp as a list":   {map[string]any{"scp": []string{"a", "b"}}, []string{"a", "b"}},
		"scp as a text":   {map[string]any{"scp": "a b"}, []string{"a", "b"}},
		"both":            {map[string]any{"scope": "a", "scp": "b"}, []string{"a"}},
		"empty":           {map[string]any{"scope": ""}, nil},
		"null":            {map[string]any{"scope": []any(nil)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := caller(t, nil, c.change)
			if err != nil || !slices.Equal(p.Scopes, c.want) {
				t.Errorf("got %v, %v", p.Scopes, err)
			}
		})
	}
}

func TestARoleIsOneText(t *testing.T) {
	for claimed, want := range map[string][]string{"admin": {"admin"}, "not admin": nil, "": nil} {
		p, err := caller(t, map[string]string{"roles": "{claim.role}"}, map[string]any{"role": claimed})
		if err != nil || !slices.Equal(p.Roles, want) {
			t.Errorf("%q: %v, %v", claimed, p.Roles, err)
		}
	}
}

func TestClaimsOfAnotherKindAreRefused(t *testing.T) {
	many := make([]string, auth.MaxNames+1)
	for i := range many {
		many[i] = fmt.Sprint("role-", i)
	}
	for name, c := range map[string]struct {
		becomes string
		value   any
	}{
		"a list of numbers":          {"roles", []int{1}},
		"an object":                  {"roles", map[string]any{"a": 1}},
		"a number":                   {"roles", 7},
		"too many":                   {"roles", many},
		"too many scopes":            {"scopes", strings.Join(many, " ")},
		"a tenant of two":            {"tenant", []string{"a", "b"}},
		"a tenant that is true":      {"tenant", true},
		"an empty tenant":            {"tenant", ""},
		"a username of two lines":    {"username", "a\nb"},
		"a username that is long":    {"username", strings.Repeat("a", maxText+1)},
		"a username right to left":   {"username", "ann\u202e"},
		"a subject that is a number": {"subject", 7},
		"a subject that is missing":  {"subject", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := caller(t, map[string]string{c.becomes: "{claim.x.y}"}, map[string]any{"x": map[string]any{"y": c.value}})
			if err == nil {
				t.Errorf("taken: %+v", p)
			}
		})
	}
}

func TestAPathFollowsNamesWithDotsToo(t *testing.T) {
	tree := map[string]any{
		"a": map[string]any{"b": "1", "b.c": "2", "d": "not an object"}, "a.b.c": "3", "x.y": map[string]any{"z": "4"}, "n": nil,
	}
	for path, want := range map[string]any{
		"a.b": "1", "a.b.c": "3", "x.y.z": "4", "a.d.e": nil, "x": nil, "x.y.q": nil, "n": nil, "n.a": nil, ".": nil, "a.": nil, ".a": nil, "a..b": nil,
	} {
		if got := lookUp(tree, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	delete(tree, "a.b.c")
	if got := lookUp(tree, "a.b.c"); got != "2" {
		t.Errorf("got %v", got)
	}
}

func TestATokenIDThatIsNoneIsLeftOut(t *testing.T) {
	for _, id := range []any{7, "", "a\nb", strings.Repeat("a", 300), nil, []string{"a"}} {
		if p, err := caller(t, nil, map[string]any{"jti": id}); err != nil || p.TokenID != "" {
			t.Errorf("%v: %q, %v", id, p.TokenID, err)
		}
	}
}
