package issuer

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Key is one public key of an issuer. It is the same value for as long as the
// issuer publishes it unchanged, so that a verdict can rest on it.
type Key struct {
	id string // "" for one without
	// algorithms are those that it may verify.
	algorithms []string
	public     any
	keys       *Keys
	dropped    atomic.Bool
}

// The bounds on RSA keys: RFC 7518 section 3.3, and what it may cost to verify
// a signature that anybody sends.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// secretMembers are those of a key that is not public (RFC 7518 section 6).
// One that is published has become everybody's.
var secretMembers = []string{"k", "d", "p", "q", "dp", "dq", "qi", "oth"}

// newKey reads a JWK (RFC 7517 section 4). An error says why the key does not
// count: such keys are ignored (section 5).
func newKey(members map[string]any) (k *Key, err error) {
	for _, name := range secretMembers {
		if _, ok := members[name]; ok {
			return nil, errors.New("it is not a public key")
		}
	}
	if !forVerifying(members) {
		return nil, errors.New("it is not for verifying")
	}
	k = &Key{}
	if k.public, err = publicKey(members); err != nil {
		return nil, err
	}
	return k, k.name(members)
}

// forVerifying reads use and key_ops (RFC 7517 sections 4.2 and 4.3), which
// may both be absent.
func forVerifying(members map[string]any) bool {
	if use, ok := members["use"]; ok && use != "sig" {
		return false
	}
	value, ok := members["key_ops"]
	if !ok {
		return true
	}
	ops, isList := value.([]any)
	return isList && slices.Contains(ops, any("verify"))
}

// publicKey reads the key itself. Certificates beside it are left out: nobody
// here follows them.
func publicKey(members map[string]any) (any, error) {
	plain := map[string]any{}
	for _, name := range []string{"kty", "crv", "n", "e", "x", "y"} {
		if v, ok := members[name]; ok {
			plain[name] = v
		}
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	var read jose.JSONWebKey
	if err := read.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	if k, ok := read.Key.(*rsa.PublicKey); ok {
		return k, checkRSA(k)
	}
	return read.Key, nil
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < minRSABits || bits > maxRSABits:
		return errors.New("an RSA key has 2048 to 4096 bits")
	case k.N.Bit(0) == 0 || k.E < 3 || k.E&1 == 0:
		return errors.New("it is no RSA key")
	case isROCA(k.N):
		return errors.New("the key can be computed from its public half (CVE-2017-15361)")
	}
	return nil
}

// name reads what a key is called and which algorithms it is for.
func (k *Key) name(members map[string]any) error {
	var ok bool
	if v, has := members["kid"]; has {
		if k.id, ok = v.(string); !ok || k.id == "" || len(k.id) > maxKeyID {
			return errors.New("its kid is no text of a sane length")
		}
	}
	k.algorithms = algorithmsOf(k.public)
	if v, has := members["alg"]; has {
		name, ok := v.(string)
		if !ok || !slices.Contains(k.algorithms, name) {
			return errors.New("its alg is not one of its kind of key")
		}
		k.algorithms = []string{name}
	}
	if len(k.algorithms) == 0 {
		return errors.New("it is of a kind that is not known")
	}
	return nil
}

// same reports whether two keys are one.
func (k *Key) same(other *Key) bool {
	p, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.id == other.id && slices.Equal(k.algorithms, other.algorithms) && p.Equal(other.public)
}

// verifies reports whether the key may be used with an algorithm.
func (k *Key) verifies(algorithm string) bool { return slices.Contains(k.algorithms, algorithm) }

// Holds reports whether what was verified with the key still counts, at a time
// in Unix nanoseconds: the issuer has not withdrawn it, as far as was heard in
// time.
func (k *Key) Holds(now int64) bool { return !k.dropped.Load() && k.keys.vouches(now) }

// Use has the issuer asked again where that is due, and does not wait for it.
func (k *Key) Use(now int64) { k.keys.use(now) }
