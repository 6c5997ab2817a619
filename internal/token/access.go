package token

import (
	"cmp"
	"strings"
)

// Access is what the access tokens of RFC 9068 say beside other JWTs issued
// here. They are signed with keys of their own, which are no secrets but key
// pairs, and have a type of their own.
type Access struct {
	// Algorithm is EdDSA, ES256 or RS256; "" is [AccessAlgorithm].
	Algorithm string
	// Issuer is the iss, Audience the aud; "" is the URI that names the realm.
	Issuer, Audience string
}

// AccessAlgorithm signs access tokens for others where nothing else is said.
const AccessAlgorithm = "EdDSA"

// AccessAlgorithms are those that others can verify with a public key.
var AccessAlgorithms = []string{"EdDSA", "ES256", "RS256"}

// claimRealm names the realm of an access token, since its iss is for others
// to know us by and may stand for several realms.
const claimRealm = "gatehouse_realm"

// useAccess begins the use of a key that signs access tokens; its algorithm
// follows, so that each algorithm has a key.
const useAccess = "access-token "

func (a Access) use() string { return useAccess + cmp.Or(a.Algorithm, AccessAlgorithm) }

func isAccess(use string) bool { return strings.HasPrefix(use, useAccess) }

// algorithmFor returns the algorithm of a new key for use.
func algorithmFor(use string) string {
	if name, ok := strings.CutPrefix(use, useAccess); ok {
		return name
	}
	if use == UseAssertion {
		return assertionAlgorithm
	}
	return DefaultAlgorithm
}

// encode adds the claims of an access token of realm.
func (a Access) encode(members map[string]any, realm string) {
	members["iss"] = cmp.Or(a.Issuer, issuer(realm))
	members["aud"] = cmp.Or(a.Audience, issuer(realm))
	members[claimRealm] = realm
}

// decodeAccess reads the claims that [Access.encode] wrote and leaves members
// as those of any other token. Which issuer and audience a token names is for
// others to check: here the realm counts, and the session behind the token.
func decodeAccess(members map[string]any, realm string) (*Access, error) {
	named, ok := members[claimRealm].(string)
	if !ok {
		return nil, errClaims
	}
	if named != realm {
		return nil, errForeign
	}
	iss, hasIssuer := members["iss"].(string)
	aud, hasAudience := members["aud"].(string)
	if !hasIssuer || !hasAudience || iss == "" || aud == "" {
		return nil, errClaims
	}
	members["iss"] = issuer(realm)
	delete(members, "aud")
	delete(members, claimRealm)
	return &Access{Issuer: iss, Audience: aud}, nil
}
