package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// publicKey is the public half of a signing key as a JWK (RFC 7517 section 4).
type publicKey struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	// Curve and X are those of EdDSA (RFC 8037 section 2), with Y of ES256 and
	// N and E of RS256 (RFC 7518 section 6).
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
}

// Published says which keys a JWK set lists.
type Published struct {
	// Tokens are those that verify tokens issued here, Assertions those that
	// verify what an upstream is told.
	Tokens, Assertions bool
}

func (p Published) lists(use string) bool {
	return p.Tokens && signsTokens(use) || p.Assertions && use == UseAssertion
}

// JWKS returns the public halves of all keys that verify tokens issued here,
// as [Signers.Publish] does.
func (s *Signers) JWKS(ctx context.Context) ([]byte, error) {
	return s.Publish(ctx, Published{Tokens: true})
}

// Publish returns the public halves of keys as a JWK set (RFC 7517 section 5),
// and never anything of a key that is a secret. [auth.Unavailable] and the like
// are those of the store.
func (s *Signers) Publish(ctx context.Context, p Published) ([]byte, error) {
	set, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	keys := []publicKey{} // an empty set is an array too
	for _, k := range set.all {
		if !p.lists(k.use) || k.broken != nil || k.over(s.now()) {
			continue
		}
		if public, ok := k.public(); ok {
			keys = append(keys, public)
		}
	}
	slices.SortFunc(keys, func(a, b publicKey) int { return strings.Compare(a.KeyID, b.KeyID) })
	return json.Marshal(struct {
		Keys []publicKey `json:"keys"`
	}{keys})
}

// Prepare makes the key that signs such tokens where there is none, so that it
// can be told before the first of them.
func (s *Signers) Prepare(ctx context.Context, a Access) error {
	_, err := s.signer(ctx, a.use())
	return err
}

// PrepareAssertions does that for assertions.
func (s *Signers) PrepareAssertions(ctx context.Context) error {
	_, err := s.signer(ctx, UseAssertion)
	return err
}

// public returns the public half; false for a secret, which has none.
func (k *signingKey) public() (publicKey, bool) {
	j := publicKey{Use: "sig", KeyID: k.id, Algorithm: k.algorithm.method.Alg()}
	switch key := k.pair.verify.(type) {
	case ed25519.PublicKey:
		j.Type, j.Curve, j.X = "OKP", "Ed25519", segment(key)
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, then X and Y of equal length
		if err != nil {
			return publicKey{}, false
		}
		half := (len(point) - 1) / 2
		j.Type, j.Curve, j.X, j.Y = "EC", "P-256", segment(point[1:1+half]), segment(point[1+half:])
	case *rsa.PublicKey:
		j.Type, j.N, j.E = "RSA", segment(key.N.Bytes()), segment(big.NewInt(int64(key.E)).Bytes())
	default:
		return publicKey{}, false
	}
	return j, true
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
