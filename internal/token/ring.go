package token

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Ring is the key ring: it encrypts what is kept at rest and must be given
// back, and authenticates what is only compared. Its first key seals, all of
// them open, so that a key is rotated by putting a new one before it and taken
// out once nothing is sealed under it any more. A Ring never changes and may
// be used by many goroutines. It prints as [auth.Redacted]. Only [ParseRing]
// makes one: the zero Ring has no key and must not be used.
type Ring struct{ keys []*ringKey }

// ringKey is what is derived from one line of the file. The key as written is
// used for nothing else, so no two uses share key bytes. The MAC key is inside
// a function, since fmt follows a pointer in another struct's unexported field
// past every method of ours when the verb does not fit.
type ringKey struct {
	id   [ringIDLen]byte
	aead cipher.AEAD
	sum  func(bound []byte) [sha256.Size]byte
}

const (
	ringKeyLen = 32 // bytes of a key as written: AES-256
	ringIDLen  = 8

	sealVersion  = 1
	sealOverhead = 1 + ringIDLen
)

func newRingKey(secret []byte) (*ringKey, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, "gatehouse key ring v1", ringIDLen+ringKeyLen+sha256.Size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived[ringIDLen : ringIDLen+ringKeyLen])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	k := &ringKey{aead: aead, sum: macUnder(derived[ringIDLen+ringKeyLen:])}
	copy(k.id[:], derived)
	return k, nil
}

// Seal encrypts plain with AES-256-GCM under the first key. The same
// associated bytes, made by [Bind], must be given to [Ring.Open]: a sealed
// value that is moved to another row does not open there. The result is a
// version byte, eight bytes that name the key, a random nonce, the ciphertext
// and its tag. A key should be rotated well before it sealed 2^32 values
// (NIST SP 800-38D section 8.3).
func (r *Ring) Seal(plain, associated []byte) ([]byte, error) {
	k := r.keys[0]
	sealed := make([]byte, 0, sealOverhead+k.aead.Overhead()+len(plain))
	sealed = append(sealed, sealVersion)
	sealed = append(sealed, k.id[:]...)
	return k.aead.Seal(sealed, nil, plain, associated), nil
}

// Open decrypts what [Ring.Seal] made, under whichever key of the ring sealed
// it. No caller is to blame for a failure: [auth.Internal] where what is stored
// was changed or moved, [auth.Unavailable] with [auth.ReasonKeyRing] where the
// ring lacks the key, since a gateway that has it can answer.
func (r *Ring) Open(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealVersion {
		return nil, auth.Fail(auth.Internal, "", errors.New("a sealed value has an unknown form"))
	}
	for _, k := range r.keys {
		if !bytes.Equal(k.id[:], sealed[1:sealOverhead]) {
			continue
		}
		plain, err := k.aead.Open(nil, nil, sealed[sealOverhead:], associated)
		if err != nil {
			return nil, auth.Fail(auth.Internal, "", errors.New("a sealed value was changed or belongs to another row"))
		}
		return plain, nil
	}
	return nil, auth.Fail(auth.Unavailable, auth.ReasonKeyRing,
		fmt.Errorf("a sealed value needs the key %s, which the key ring lacks", SealedBy(sealed)))
}

// MAC returns the HMAC-SHA-256 of parts under a key derived from the first
// key of the ring. Parts are length-prefixed: ("ab", "c") and ("a", "bc")
// differ.
func (r *Ring) MAC(parts ...string) [sha256.Size]byte {
	return r.keys[0].sum(Bind(parts...))
}

// MACs returns what [Ring.MAC] gives under each key, the first key first. A
// value that is stored as its MAC is looked up by all of them, else rotating
// the ring would lose it.
func (r *Ring) MACs(parts ...string) [][sha256.Size]byte {
	bound := Bind(parts...)
	sums := make([][sha256.Size]byte, len(r.keys))
	for i, k := range r.keys {
		sums[i] = k.sum(bound)
	}
	return sums
}

func macUnder(key []byte) func([]byte) [sha256.Size]byte {
	return func(bound []byte) (sum [sha256.Size]byte) {
		h := hmac.New(sha256.New, key)
		h.Write(bound)
		h.Sum(sum[:0])
		return sum
	}
}

// Bind joins parts so that no two lists of parts give the same bytes: each is
// preceded by its length. The associated data of a sealed column is
// Bind(realm, table, id), with realm "" for rows of no realm and whatever else
// of the row must not be changed behind it.
func Bind(parts ...string) []byte {
	var bound []byte
	for _, p := range parts {
		bound = binary.BigEndian.AppendUint64(bound, uint64(len(p)))
		bound = append(bound, p...)
	}
	return bound
}

// String returns [auth.Redacted].
func (Ring) String() string { return auth.Redacted }

// Format prints [auth.Redacted] whatever the verb.
func (Ring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(auth.Redacted)) }

// MarshalText returns [auth.Redacted]: JSON and loggers use it.
func (Ring) MarshalText() ([]byte, error) { return []byte(auth.Redacted), nil }
