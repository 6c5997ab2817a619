package bearer

import (
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Credential is what one source of a request presented, unverified. Its
// members are secrets: whatever prints it gets the kind and [auth.Redacted].
type Credential struct {
	Kind auth.CredentialKind
	// Token is the token of Bearer, Query, Body and KeyUserToken.
	Token string
	// Key is the API key of APIKey, Basic and KeyUserToken. With Bearer it is
	// the text of Token again, where that may be a token or an API key.
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
	// FoldName matches the name of a parameter or member in any ASCII case.
	// Two spellings of it are two values. Header names always do.
	FoldName bool
	// Form returns the canonical form of a token, and whether it is one at
	// all; nil takes every text as it is. A token of the wrong form is
	// [auth.Malformed].
	Form func(string) (string, bool)
	// MaxBody bounds what is read of a body to find a member; 0 is 64 KiB.
	MaxBody int64
	// Lenient has Bearer take the scheme JWT for its own, in any case too, and
	// a value without a scheme for a token: it has no white space in it. Other
	// schemes stay the business of others.
	Lenient bool
	// Keys has Bearer take an API key as well: any text but one in the form of
	// a JWT, which is a token or nothing. Form is held against both.
	Keys bool
	// StripMember has Strip take the member of Body out of the body.
	StripMember bool
	// canonical is the header's name in canonical form, where a chain has
	// worked it out.
	canonical string
}

// Format prints the kind and [auth.Redacted], whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write(c.redacted()) }

// MarshalText returns the same as [Credential.Format], for JSON and loggers.
func (c Credential) MarshalText() ([]byte, error) { return c.redacted(), nil }

func (c Credential) redacted() []byte { return []byte(string(c.Kind) + " " + auth.Redacted) }
