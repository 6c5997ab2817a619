package token

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// The uses of signing keys, beside those of access tokens. A key of a use that
// signs no tokens never verifies one.
const (
	// UseToken signs tokens whose dates are numbers.
	UseToken = "token"
	// UseTextDates signs tokens whose dates are text.
	UseTextDates = "token-text-dates"
	// UseAssertion signs what an upstream is told of a caller.
	UseAssertion = "assertion"
)

// use returns the use of the key that signs c.
func (c Claims) use() string {
	switch {
	case c.Access != nil:
		return c.Access.use()
	case c.TextDates:
		return UseTextDates
	}
	return UseToken
}

// signsTokens reports whether keys of this use sign what this package verifies.
func signsTokens(use string) bool { return use == UseToken || use == UseTextDates || isAccess(use) }

// isKnown reports whether this package has something to do with keys of this use.
func isKnown(use string) bool { return signsTokens(use) || use == UseAssertion }

// signingKey is a row of the store, opened.
type signingKey struct {
	id, use string
	// header is the encoded first segment of every token it signs.
	header    string
	algorithm algorithm
	pair      keyPair
	// active is whether it still signs; expires is zero for never.
	active  bool
	expires time.Time
	// longest is how long what it signed lives at most, as the store knows.
	longest atomic.Int64 // a time.Duration
	// broken is why it can neither sign nor verify, nil for a key that can.
	broken error
}

// over reports whether every token that the key signed has expired.
func (k *signingKey) over(now time.Time) bool { return !k.expires.IsZero() && !now.Before(k.expires) }

// ErrUnusable is inside the error about a signing key of the store that does
// not open here: it was sealed under a key that the ring lacks, or was changed.
var ErrUnusable = errors.New("a signing key of the store cannot be used here")

// openSigningKey opens a row. A row that does not open gives a key that is
// broken: tokens it signed are not the caller's fault and no forgeries.
func openSigningKey(row store.SigningKey, ring *Ring) *signingKey {
	k := &signingKey{
		id: row.ID, use: row.Use, header: header(row.Algorithm, row.ID, typeFor(row.Use)),
		active: row.Retired.IsZero(), expires: row.Expires,
	}
	k.longest.Store(int64(row.Longest))
	if k.pair, k.broken = openPair(row, ring); k.broken != nil {
		cause := auth.AsError(k.broken)
		k.broken = auth.Fail(cause.Code, cause.Reason, fmt.Errorf("%w: %s: %w", ErrUnusable, row.ID, k.broken))
		return k
	}
	k.algorithm = algorithms[row.Algorithm]
	return k
}

func openPair(row store.SigningKey, ring *Ring) (keyPair, error) {
	alg, ok := algorithms[row.Algorithm]
	if !ok {
		return keyPair{}, fmt.Errorf("its algorithm %q is not known here", row.Algorithm)
	}
	material, err := ring.Open(row.Sealed, bindRow(row))
	if err != nil {
		return keyPair{}, err
	}
	return alg.parse(material)
}

// bindRow ties the sealed key to its id, and to its use and algorithm too: a
// store that is written to by someone else cannot make an RSA key an HMAC
// secret, or an assertion key one for tokens.
func bindRow(row store.SigningKey) []byte {
	return Bind("", "signing_key", row.ID, row.Use, row.Algorithm)
}

// newSigningKey makes a key for use and seals it.
func newSigningKey(algorithmName, use string, ring *Ring, now time.Time) (store.SigningKey, error) {
	alg, ok := algorithms[algorithmName]
	if !ok {
		return store.SigningKey{}, fmt.Errorf("the algorithm %q is not known here", algorithmName)
	}
	material, err := alg.generate()
	if err != nil {
		return store.SigningKey{}, err
	}
	row := store.SigningKey{ID: newKeyID(ring), Algorithm: algorithmName, Use: use, Created: store.Precise(now)}
	row.Sealed, err = ring.Seal(material, bindRow(row))
	return row, err
}

// A key id is 16 random hex digits and 16 more that authenticate them under
// the key ring. So an id that was made up is told from one that another node
// made a moment ago without asking the store.
const (
	keyIDHalf = 16
	keyIDLen  = 2 * keyIDHalf
)

func newKeyID(ring *Ring) string {
	var b [keyIDHalf / 2]byte
	_, _ = rand.Read(b[:]) // documented never to return an error
	random := hex.EncodeToString(b[:])
	sum := ring.MAC("signing key id", random)
	return random + hex.EncodeToString(sum[:keyIDHalf/2])
}

func genuineKeyID(ring *Ring, id string) bool {
	if len(id) != keyIDLen {
		return false
	}
	for _, sum := range ring.MACs("signing key id", id[:keyIDHalf]) {
		// Not ==, which would tell a forger how far the guess was right.
		if subtle.ConstantTimeCompare([]byte(id[keyIDHalf:]), []byte(hex.EncodeToString(sum[:keyIDHalf/2]))) == 1 {
			return true
		}
	}
	return false
}

// The types of a token's header. One kind of token is not read as another,
// whatever its claims (RFC 8725 section 3.11).
const (
	typeJWT    = "JWT"
	typeAccess = "at+jwt" // RFC 9068 section 2.1
	// typeAssertion is for upstreams alone: [keyIDOf] does not know it.
	typeAssertion = "gatehouse-assertion+jwt"
)

func typeFor(use string) string {
	switch {
	case isAccess(use):
		return typeAccess
	case use == UseAssertion:
		return typeAssertion
	}
	return typeJWT
}

// header is the one header a key's tokens have, encoded. It is compared as a
// whole, so that no member of a token's header is ever interpreted: not alg,
// and none of jwk, jku, x5u, x5c or crit (RFC 8725 sections 3.1, 3.5, 3.10).
func header(algorithmName, id, typ string) string {
	text, _ := json.Marshal(struct { // strings always marshal
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{algorithmName, id, typ})
	return base64.RawURLEncoding.EncodeToString(text)
}

// keyIDOf returns the kid of an encoded header that has exactly the form that
// [header] gives, for a key id made here; "" for any other.
func keyIDOf(encoded string) string {
	const before, between, after, end = `{"alg":"`, `","kid":"`, `","typ":"`, `"}`
	const nameLen = len(DefaultAlgorithm)
	const known = len(before) + nameLen + len(between) + keyIDLen + len(after)
	for _, typ := range []string{typeJWT, typeAccess} {
		length := known + len(typ) + len(end)
		if len(encoded) != (length*8+5)/6 {
			continue
		}
		text, err := strict.DecodeString(encoded)
		if err != nil || len(text) != length {
			return ""
		}
		id := string(text[len(before)+nameLen+len(between):][:keyIDLen])
		name := string(text[len(before):][:nameLen])
		if _, ok := algorithms[name]; ok && header(name, id, typ) == encoded {
			return id
		}
	}
	return ""
}
