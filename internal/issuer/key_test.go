package issuer

import (
	"math/big"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestKeysThatCount(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"as it is":              nil,
		"without use and alg":   {"use": nil, "alg": nil},
		"with key_ops":          {"key_ops": []any{"verify"}},
		"with several key_ops":  {"key_ops": []any{"sign", "verify"}, "use": nil},
		"without kid":           {"kid": nil},
		"with members to spare": {"x5c": []any{"no certificate"}, "x5t": 7, "nbf": 1.0, "issuer": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newKey(changed(newSigner(t, "k1", "ES256").jwk(t), change)); err != nil {
				t.Error(err)
			}
		})
	}
}

func changed(jwk, change map[string]any) map[string]any {
	for name, v := range change {
		if jwk[name] = v; v == nil {
			delete(jwk, name)
		}
	}
	return jwk
}

func TestKeysThatDoNotCount(t *testing.T) {
	x := newSigner(t, "k", "ES256").jwk(t)["x"]
	for name, change := range map[string]map[string]any{
		"for encryption":            {"use": "enc"},
		"for a use of another kind": {"use": 7},
		"for signing alone":         {"key_ops": []any{"sign"}},
		"for nothing":               {"key_ops": []any{}},
		"key_ops a text":            {"key_ops": "verify"},
		"another curve's algorithm": {"alg": "ES384"},
		"another kind's algorithm":  {"alg": "RS256"},
		"no such algorithm":         {"alg": "ES521"},
		"an algorithm of HMAC":      {"alg": "HS256"},
		"alg a number":              {"alg": 7},
		"kid a number":              {"kid": 7},
		"kid empty":                 {"kid": ""},
		"another curve":             {"crv": "P-384", "alg": nil},
		"no curve":                  {"crv": nil},
		"a curve for other things":  {"kty": "OKP", "crv": "X25519", "alg": nil},
		"another type":              {"kty": "RSA", "alg": nil},
		"no type":                   {"kty": nil},
		"a type of the future":      {"kty": "AKP"},
		"a point beside the curve":  {"y": x},
		"half a point":              {"y": nil},
	} {
		t.Run(name, func(t *testing.T) {
			if k, err := newKey(changed(newSigner(t, "k1", "ES256").jwk(t), change)); err == nil {
				t.Errorf("taken: %+v", k)
			}
		})
	}
}

// A private key that was published is everybody's.
func TestPrivateKeysDoNotCount(t *testing.T) {
	for name := range methods {
		t.Run(name, func(t *testing.T) {
			text, err := jose.JSONWebKey{Key: newSigner(t, "k1", name).private, KeyID: "k1"}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if k, err := newKey(object(t, text)); err == nil {
				t.Errorf("taken: %v", k.algorithms)
			}
		})
	}
}

func TestAKeyTooLongToVerifyWith(t *testing.T) {
	n := new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), maxRSABits), 0, 1)
	jwk := map[string]any{"kty": "RSA", "kid": "k", "n": b64(n.Bytes()), "e": "AQAB"}
	if _, err := newKey(jwk); err == nil {
		t.Error("taken")
	}
	n.Rsh(n, 1).SetBit(n, 0, 1)
	jwk["n"] = b64(n.Bytes())
	if _, err := newKey(jwk); err != nil {
		t.Error(err)
	}
}

// What is verified is read again before it is believed.
func TestAVerifiedTokenOfAnotherIssuerIsRefused(t *testing.T) {
	i, err := New(config(alpha))
	if err != nil {
		t.Fatal(err)
	}
	members := object(t, jsonOf(t, claims(alpha, nil)))
	if _, err := i.accept(members, start); err != nil {
		t.Fatal(err)
	}
	members["iss"] = beta
	if _, err := i.accept(members, start); err == nil {
		t.Error("accepted")
	}
}
