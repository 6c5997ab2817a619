package auth

import (
	"slices"
	"time"
)

// CredentialKind names a way to present a credential, as the Caddyfile's
// accept does.
type CredentialKind string

// The kinds of credential.
const (
	Bearer       CredentialKind = "bearer"         // Authorization: Bearer, RFC 6750
	APIKey       CredentialKind = "api_key"        // a header that carries an API key
	KeyUserToken CredentialKind = "key_user_token" // headers apikey + userid + token
	Basic        CredentialKind = "basic"          // an API key as the username, RFC 7617
	Query        CredentialKind = "query"          // a token in a query parameter
	Body         CredentialKind = "body"           // a token in a member of a JSON body
)

// Principal is a verified caller. A principal is shared between requests once
// it is made: nobody changes one.
type Principal struct {
	Realm string
	// Subject is the account's id (a UUID), or "key:" and the key's id for a
	// key that belongs to no account.
	Subject  string
	Username string
	// Tenant and Unit are ids, "" where the credential is bound to none;
	// TenantName is the tenant's name as typed.
	Tenant, TenantName, Unit string
	// Tenants are those that the credential is good in: the one it is bound
	// to, or all of the account's where it is bound to none.
	Tenants     []TenantRef
	Roles       []string
	Scopes      Scope
	Permissions Permission
	// Credential is the kind that was presented, KeyID the API key behind it
	// (0 for none) and TokenID the accessor of the session behind it ("" for
	// none): safe to print, useless to a thief.
	Credential CredentialKind
	KeyID      int64
	TokenID    string
	// Dialect issued the token, "" for a bare key.
	Dialect string
	// Expires is when the credential ends; the zero time means never.
	Expires time.Time
	// Only is the request that the credential is good for, nil for any.
	Only *Target
}

// Target is one request: its method, its host in lower case with a port that is
// not the scheme's own, and its path percent-encoded as it is sent.
type Target struct{ Method, Host, Path string }

// TenantRef is a tenant by id and by name as typed.
type TenantRef struct{ ID, Name string }

// HasRole reports whether the caller has one of these roles.
func (p *Principal) HasRole(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(p.Roles, n) })
}

// Permission is the set of permission bits of an API key. A session that was
// not obtained with a key has all of them.
type Permission uint8

// The permission bits, with the values that the management dialect shows.
const (
	Read   Permission = 1
	Write  Permission = 2
	Delete Permission = 4
	Create Permission = 8

	AllPermissions = Read | Write | Delete | Create
)

var permissionNames = []struct {
	bit  Permission
	name string
}{{Read, "read"}, {Write, "write"}, {Delete, "delete"}, {Create, "create"}}

// Has reports whether all bits of want are set.
func (p Permission) Has(want Permission) bool { return p&want == want }

// Names lists the bits that are set, in the order read, write, delete, create.
func (p Permission) Names() []string {
	var names []string
	for _, n := range permissionNames {
		if p.Has(n.bit) {
			names = append(names, n.name)
		}
	}
	return names
}

// ParsePermission returns the bit of that name.
func ParsePermission(name string) (Permission, bool) {
	for _, n := range permissionNames {
		if n.name == name {
			return n.bit, true
		}
	}
	return 0, false
}
