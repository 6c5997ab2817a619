package issuer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// ClaimNames are what a claim may become, in the order of documentation.
var ClaimNames = []string{"subject", "username", "tenant", "unit", "roles", "scopes"}

const (
	// maxText bounds a name in a claim in bytes; a sub has at most 255
	// (OpenID Connect Core 1.0 section 2).
	maxText = 255
	// maxPath bounds a placeholder, and so the ways to read it.
	maxPath = 200
)

// mapping is a path into the claims for each name that has one.
type mapping map[string]string

// newMapping reads placeholders.
func newMapping(claims map[string]string) (mapping, error) {
	m := mapping{"subject": "sub"}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if !slices.Contains(ClaimNames, name) {
			return nil, fmt.Errorf("claim %q: it can be %s", name, strings.Join(ClaimNames, ", "))
		}
		path, err := claimPath(claims[name])
		if err != nil {
			return nil, fmt.Errorf("claim %s: %w", name, err)
		}
		m[name] = path
	}
	return m, nil
}

// claimPath returns what a placeholder names.
func claimPath(placeholder string) (string, error) {
	path, begins := strings.CutPrefix(placeholder, "{claim.")
	path, ends := strings.CutSuffix(path, "}")
	if !begins || !ends || !isPlain(path) || len(path) > maxPath || strings.ContainsAny(path, "{}") {
		return "", fmt.Errorf("%.60q: it must be one placeholder like {claim.realm_access.roles}", placeholder)
	}
	return path, nil
}

// isPlain takes printable text that is neither empty nor long.
func isPlain(text string) bool {
	return text != "" && len(text) <= maxText && !strings.ContainsFunc(text, func(c rune) bool {
		return c == unicode.ReplacementChar || !unicode.IsPrint(c)
	})
}

// lookUp follows a path of names joined by dots, nil where it leads nowhere. A
// name may hold dots itself, as names that are URLs do: a member of the whole
// name comes first, then the one of the shortest beginning.
func lookUp(claims map[string]any, path string) any {
	if v, ok := claims[path]; ok {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			if v := lookUp(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// principal reads who the claims speak for. The subject begins with the
// issuer's URL and `|`: it is no account's id, and no other issuer's.
func (i *Issuer) principal(claims map[string]any) (p auth.Principal, err error) {
	p.Permissions = auth.AllPermissions
	for name, into := range map[string]*string{
		"subject": &p.Subject, "username": &p.Username, "tenant": &p.Tenant, "unit": &p.Unit,
	} {
		if *into, err = i.text(claims, name); err != nil {
			return auth.Principal{}, err
		}
	}
	if p.Subject == "" {
		return auth.Principal{}, errors.New("it names no subject")
	}
	if i.asserts {
		if p.Only, err = target(claims); err != nil {
			return auth.Principal{}, err
		}
	}
	p.Subject = i.url + "|" + p.Subject
	if p.Username == "" {
		p.Username = p.Subject
	}
	if p.Tenant != "" {
		p.TenantName = p.Tenant
		p.Tenants = []auth.TenantRef{{ID: p.Tenant, Name: p.Tenant}}
	}
	if p.Roles, err = names(i.mapped(claims, "roles")); err != nil {
		return auth.Principal{}, err
	}
	p.Scopes, err = names(divided(i.scopes(claims)))
	if id, ok := claims["jti"].(string); ok && isPlain(id) {
		p.TokenID = id
	}
	return p, err
}

// mapped returns the claim that becomes name, nil where there is none.
func (i *Issuer) mapped(claims map[string]any, name string) any {
	if path, ok := i.claims[name]; ok {
		return lookUp(claims, path)
	}
	return nil
}

// text reads a claim that is one name, "" where it is absent.
func (i *Issuer) text(claims map[string]any, name string) (string, error) {
	v := i.mapped(claims, name)
	if v == nil {
		return "", nil
	}
	text, ok := v.(string)
	if !ok || !isPlain(text) {
		return "", fmt.Errorf("the claim that becomes %s is no plain text", name)
	}
	return text, nil
}

// scopes returns the claim with the scopes: the one that was named, else scope
// (RFC 8693 section 4.2), else scp.
func (i *Issuer) scopes(claims map[string]any) any {
	if _, ok := i.claims["scopes"]; ok {
		return i.mapped(claims, "scopes")
	}
	if v, ok := claims["scope"]; ok {
		return v
	}
	return claims["scp"]
}

// divided takes a text of scopes apart (RFC 6749 section 3.3). A role is never
// taken apart: "not admin" would be two.
func divided(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	var list []any
	for _, name := range strings.Fields(text) {
		list = append(list, name)
	}
	return list
}

// names reads one name or a list of them. Those that no rule of ours could
// name are left out, which takes rights away and never gives any.
func names(value any) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := texts(value)
	if !ok {
		return nil, errors.New("a claim with names is neither a text nor a list of texts")
	}
	var all []string
	for _, name := range list {
		if auth.ValidName(name) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) > auth.MaxNames { // their length is bounded by that of a token
		return nil, fmt.Errorf("a claim holds more than %d names", auth.MaxNames)
	}
	return all, nil
}
