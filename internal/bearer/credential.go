package bearer

import "github.com/gatehouse-auth/gatehouse/internal/auth"

// Credential is what one source of a request presented, unverified. It must
// not be printed: its members are secrets.
type Credential struct {
	Kind auth.CredentialKind
	// Token is the token of Bearer, Query, Body and KeyUserToken.
	Token string
	// Key is the API key of APIKey, Basic and KeyUserToken.
	Key string
	// User is the userid of KeyUserToken.
	User string
	// Entity is the entity-authentication-token that stands in for User and
	// Token of KeyUserToken.
	Entity string
}

// Spec says where a credential of one kind stands and which form it has.
type Spec struct {
	Kind auth.CredentialKind
	// Name is the header of APIKey (default x-api-key), the parameter of
	// Query or the member of Body; unused for the other kinds.
	Name string
	// Form returns the canonical form of a token, and whether it is one at
	// all; nil takes every text as it is. A token of the wrong form is
	// [auth.Malformed].
	Form func(string) (string, bool)
	// MaxBody bounds what is read of a body to find a member; 0 is 64 KiB.
	MaxBody int64
}
