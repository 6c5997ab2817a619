package issuer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the methods below
	_ "crypto/sha512"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// methods are the algorithms that an issuer can be trusted with: signatures
// alone, since whoever verifies an HMAC can make one.
var methods = map[string]jwt.SigningMethod{
	"RS256": jwt.SigningMethodRS256, "RS384": jwt.SigningMethodRS384, "RS512": jwt.SigningMethodRS512,
	"PS256": pss(jwt.SigningMethodPS256), "PS384": pss(jwt.SigningMethodPS384), "PS512": pss(jwt.SigningMethodPS512),
	"ES256": jwt.SigningMethodES256, "ES384": jwt.SigningMethodES384, "ES512": jwt.SigningMethodES512,
	"EdDSA": jwt.SigningMethodEdDSA,
}

// DefaultAlgorithms are those of an issuer for which none are named.
var DefaultAlgorithms = []string{"RS256", "ES256", "EdDSA"}

// pss returns a method that takes the salt length of RFC 7518 section 3.5
// alone; golang-jwt's own takes any.
func pss(m *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash},
	}
}

func checkAlgorithms(names []string) error {
	for i, name := range names {
		if methods[name] == nil {
			return fmt.Errorf("there is no algorithm %q: it can be %s", name, strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("the algorithm %s stands twice", name)
		}
	}
	return nil
}

// algorithmsOf returns what a public key may verify: which that is follows
// from the key and never from a token (RFC 8725 section 3.1).
func algorithmsOf(public any) []string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		return map[string][]string{"P-256": {"ES256"}, "P-384": {"ES384"}, "P-521": {"ES512"}}[k.Curve.Params().Name]
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
