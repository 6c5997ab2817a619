package token

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// MaxJWT bounds a JWT in bytes. It stops a long text from being hashed or
// decoded, and is more than any header line should be.
const MaxJWT = 8 << 10

// strict decodes base64url and refuses padding and trailing bits. It still
// skips line breaks, so its input is checked with [isBase64URL] first.
var strict = base64.RawURLEncoding.Strict()

// Signers signs and verifies the JWTs issued here, with keys that all nodes of
// one store share. It may be used by many goroutines and starts none.
type Signers struct {
	keys store.SigningKeys
	ring *Ring
	now  func() time.Time

	set atomic.Pointer[keySet]
	// changed is whether the store has other keys than set.
	changed atomic.Bool
	// turn is held by whoever reads the store, and guards what follows.
	turn chan struct{}
	// missed is when a genuine kid was last not found. Such kids can only be
	// those of deleted keys, so there are few.
	missed map[string]time.Time
	// failure is why the last read failed, at failed; nil where it did not.
	failure error
	failed  time.Time
}

// NewSigners returns signers whose keys are kept in keys, sealed under ring.
// The store is not asked before it is needed.
func NewSigners(keys store.SigningKeys, ring *Ring, now func() time.Time) *Signers {
	return &Signers{
		keys: keys, ring: ring, now: now,
		turn: make(chan struct{}, 1), missed: map[string]time.Time{},
	}
}

// Sign returns a JWT of realm that says c. The first call makes a signing key
// where the store has none; an error of the store is passed on.
func (s *Signers) Sign(ctx context.Context, realm string, c Claims) (auth.Secret, error) {
	payload, err := c.encode(realm)
	if err != nil {
		return auth.Secret{}, auth.Fail(auth.Internal, "", err)
	}
	return s.signAs(ctx, c.use(), payload, c.Expires)
}

// signAs signs a payload that ends at expires with the key for use.
func (s *Signers) signAs(ctx context.Context, use string, payload []byte, expires time.Time) (auth.Secret, error) {
	k, err := s.signerUntil(ctx, use, expires)
	if err != nil {
		return auth.Secret{}, err
	}
	signed := k.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := k.algorithm.method.Sign(signed, k.pair.sign)
	if err != nil {
		return auth.Secret{}, auth.Fail(auth.Internal, "", fmt.Errorf("the signing key %q does not sign: %w", k.id, err))
	}
	text := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	if len(text) > MaxJWT {
		return auth.Secret{}, auth.Fail(auth.Internal, auth.ReasonTooLarge, errors.New("the claims make a token longer than 8 KiB"))
	}
	return auth.NewSecret(text), nil
}

// Ours reports whether text claims to be a JWT issued here: one whose kid was
// made under our key ring. It says where to send a text and nothing of its
// signature, asks no store and costs a map lookup for keys in use.
func (s *Signers) Ours(text string) bool {
	if len(text) > MaxJWT {
		return false
	}
	head, _, found := strings.Cut(text, ".")
	if !found {
		return false
	}
	if set := s.set.Load(); set != nil && set.byHeader[head] != nil {
		return true
	}
	return genuineKeyID(s.ring, keyIDOf(head))
}

// Verify returns the claims of a JWT that was issued here for realm and has
// not expired. Whether its session still lives is the caller's to ask, by
// Claims.ID.
//
// Nothing of the token is interpreted before its signature is verified, with
// the key and algorithm that the store has for its header. A refusal is
// [auth.InvalidCredential]: [auth.ReasonForm] for a text that no signer here
// writes, [auth.ReasonSignature] for an unknown key or a wrong signature,
// [auth.ReasonUnknown] for another realm, [auth.ReasonExpired] only for a
// token that is genuine in all else. A store out of reach is passed on as what
// it is. [ErrUnusable] is inside where the key that the token names does not
// open here: nothing can be said of the token then, neither good nor bad, and
// its session alone decides.
func (s *Signers) Verify(ctx context.Context, realm, text string) (Claims, error) {
	head, payload, signature, ok := split(text)
	if !ok {
		return Claims{}, refuse(auth.ReasonForm)
	}
	k, err := s.find(ctx, head)
	if err != nil {
		return Claims{}, err
	}
	if k == nil {
		return Claims{}, refuse(auth.ReasonSignature)
	}
	sum, err := strict.DecodeString(signature)
	if err != nil {
		return Claims{}, refuse(auth.ReasonForm)
	}
	if err := k.verify(text[:len(head)+1+len(payload)], sum); err != nil {
		return Claims{}, err
	}
	return s.read(payload, realm, k)
}

// find returns the key whose tokens have this header, nil where there is none.
// A header that was made up gets no further than here: it is neither among the
// known ones nor has it a kid that was made under our key ring.
func (s *Signers) find(ctx context.Context, head string) (*signingKey, error) {
	known := s.set.Load()
	id := ""
	if known == nil || known.byHeader[head] == nil {
		if id = keyIDOf(head); !genuineKeyID(s.ring, id) {
			return nil, nil
		}
	}
	set, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	k := set.byHeader[head]
	if k == nil && id != "" {
		k, err = s.missing(ctx, head, id)
	}
	if k == nil || err != nil || k.over(s.now()) {
		return nil, err
	}
	return k, k.broken
}

// verify checks the signature over the first two segments.
func (k *signingKey) verify(signed string, signature []byte) error {
	if k.algorithm.method.Verify(signed, signature, k.pair.verify) != nil {
		return refuse(auth.ReasonSignature)
	}
	return nil
}

// read decodes the payload of a token that k signed.
func (s *Signers) read(payload, realm string, k *signingKey) (Claims, error) {
	text, err := strict.DecodeString(payload)
	if err != nil {
		return Claims{}, refuse(auth.ReasonForm)
	}
	c, err := decodeClaims(text, realm, k.use, s.now())
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, errExpired):
		return Claims{}, refuse(auth.ReasonExpired)
	case errors.Is(err, errForeign):
		return Claims{}, refuse(auth.ReasonUnknown)
	}
	return Claims{}, auth.Fail(auth.InvalidCredential, auth.ReasonForm, err)
}

func refuse(reason auth.Reason) error { return auth.Fail(auth.InvalidCredential, reason, nil) }

// split cuts a compact JWS (RFC 7515 section 7.1) into its three segments.
// The count is settled before anything is cut, so that many dots cost nothing.
func split(text string) (head, payload, signature string, ok bool) {
	if len(text) > MaxJWT || strings.Count(text, ".") != 2 {
		return "", "", "", false
	}
	head, rest, _ := strings.Cut(text, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	ok = isBase64URL(head) && isBase64URL(payload) && isBase64URL(signature)
	return head, payload, signature, ok
}

// isBase64URL reports whether text is one or more characters of the base64url
// alphabet and nothing else: no padding, no line break.
func isBase64URL(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return text != ""
}

// Format prints [auth.Redacted] whatever the verb: what is below holds keys.
func (*Signers) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(auth.Redacted)) }
