package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"

	"github.com/golang-jwt/jwt/v5"
)

// algorithm is one way to sign. Which one a token uses is a matter of the
// stored key, never of the token's header (RFC 8725 section 3.1).
type algorithm struct {
	method jwt.SigningMethod
	// generate makes new key material, as it is sealed.
	generate func() ([]byte, error)
	// parse reads what generate made and refuses keys that are too weak.
	parse func(material []byte) (keyPair, error)
}

// keyPair is what the method signs and verifies with; one secret for HMAC.
type keyPair struct{ sign, verify any }

// DefaultAlgorithm signs what is issued here until a key of another algorithm
// is put beside it: HS256, as in the original of the management dialect.
const DefaultAlgorithm = "HS256"

// algorithms lists what the keys of a store may be. All names have the same
// length, which [Signers.Ours] makes use of.
var algorithms = map[string]algorithm{
	"HS256": {jwt.SigningMethodHS256, generateHMAC, parseHMAC},
	"EdDSA": {jwt.SigningMethodEdDSA, generateEd25519, parseEd25519},
	"ES256": {jwt.SigningMethodES256, generateP256, parseP256},
	"RS256": {jwt.SigningMethodRS256, generateRSA, parseRSA},
}

const (
	hmacKeyLen = 32   // bytes: as many as the hash gives, RFC 7518 section 3.2
	rsaBits    = 2048 // the least of RFC 7518 section 3.3
)

func generateHMAC() ([]byte, error) {
	material := make([]byte, hmacKeyLen)
	_, err := rand.Read(material)
	return material, err
}

func parseHMAC(material []byte) (keyPair, error) {
	if len(material) != hmacKeyLen {
		return keyPair{}, errors.New("an HS256 key has 32 bytes")
	}
	return keyPair{material, material}, nil
}

func generateEd25519() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func parseEd25519(material []byte) (keyPair, error) {
	private, err := parsePrivate[ed25519.PrivateKey](material)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{private, private.Public()}, nil
}

func generateP256() ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func parseP256(material []byte) (keyPair, error) {
	private, err := parsePrivate[*ecdsa.PrivateKey](material)
	if err != nil {
		return keyPair{}, err
	}
	if private.Curve != elliptic.P256() {
		return keyPair{}, errors.New("an ES256 key is on the curve P-256")
	}
	return keyPair{private, &private.PublicKey}, nil
}

func generateRSA() ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func parseRSA(material []byte) (keyPair, error) {
	private, err := parsePrivate[*rsa.PrivateKey](material)
	if err != nil {
		return keyPair{}, err
	}
	if private.N.BitLen() < rsaBits {
		return keyPair{}, errors.New("an RS256 key has at least 2048 bits")
	}
	return keyPair{private, &private.PublicKey}, nil
}

// parsePrivate reads PKCS #8 (RFC 5958) and refuses a key of another type. The
// cause is left out, since it could quote the key.
func parsePrivate[K crypto.PrivateKey](material []byte) (key K, err error) {
	parsed, err := x509.ParsePKCS8PrivateKey(material)
	if err != nil {
		return key, errors.New("a private key is not readable as PKCS #8")
	}
	key, ok := parsed.(K)
	if !ok {
		return key, errors.New("a private key is of another algorithm than its row says")
	}
	return key, nil
}
