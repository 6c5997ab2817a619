package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// MaxToken bounds a token in bytes, as the tokens issued here are bounded.
const MaxToken = 8 << 10

// Token is a JWT that names an issuer that is trusted. Nothing of it is true
// before [Pool.Verify].
type Token struct {
	head, payload, signature string
	issuer                   *Issuer
	claims                   map[string]any
}

func split(text string) (head, payload, signature string) {
	head, rest, _ := strings.Cut(text, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return head, payload, signature
}

var errEncoding = errors.New("it is not base64url in its one spelling")

// segment reads a segment that is a JSON object.
func segment(text string) (map[string]any, error) {
	plain, err := unwrap(text)
	if err != nil {
		return nil, err
	}
	return decode(plain)
}

func unwrap(text string) ([]byte, error) {
	if !isBase64URL(text) {
		return nil, errEncoding
	}
	plain, err := strict.DecodeString(text)
	if err != nil {
		return nil, errEncoding
	}
	return plain, nil
}

// header is what of a token's header (RFC 7515 section 4) is looked at. Keys
// and addresses of keys in it are not: jwk, jku, x5u and x5c count for nothing.
type header struct{ algorithm, keyID, typ string }

// header reads the first segment.
func (u *Token) header() (h header, err error) {
	members, err := segment(u.head)
	if err != nil {
		return h, err
	}
	// Extensions that must be understood: none is (RFC 7515 section 4.1.11,
	// RFC 7797 section 6).
	for _, name := range []string{"crit", "b64"} {
		if _, ok := members[name]; ok {
			return h, errors.New("its header has an extension")
		}
	}
	for name, into := range map[string]*string{"alg": &h.algorithm, "kid": &h.keyID, "typ": &h.typ} {
		value, has := members[name]
		if !has {
			continue
		}
		text, ok := value.(string)
		if !ok || text == "" || len(text) > maxKeyID {
			return h, errors.New("a member of its header is no text of a sane length")
		}
		*into = text
	}
	return h, nil
}

// usualTypes are those of a token that is meant for an API, where the issuer
// says no more (RFC 7519 section 5.1, RFC 9068 section 2.1).
var usualTypes = []string{"", "jwt", "at+jwt"}

// check holds a header against what was pinned for the issuer.
func (i *Issuer) check(h header) error {
	types := i.types
	if len(types) == 0 {
		types = usualTypes
	}
	if !slices.Contains(types, shortType(h.typ)) {
		return errors.New("its typ is another")
	}
	if !slices.Contains(i.algorithms, h.algorithm) {
		return errors.New("its alg is not one of the issuer")
	}
	return nil
}

// Verify returns who a token speaks for and the key that it was verified with.
// The principal has no realm and no kind of credential yet.
//
// Errors: [auth.InvalidCredential] with [auth.ReasonForm] for a token that
// nobody should write, [auth.ReasonSignature] for an unknown key or a wrong
// signature, [auth.ReasonAudience] for one that is meant for others,
// [auth.ReasonExpired] only for a token that is right in all else;
// [auth.Unavailable] with [auth.ReasonIssuer] where the issuer's keys are out
// of reach.
func (p *Pool) Verify(ctx context.Context, u *Token) (auth.Principal, *Key, error) {
	h, err := u.header()
	if err == nil {
		err = u.issuer.check(h)
	}
	if err != nil {
		return auth.Principal{}, nil, malformed(err)
	}
	k, err := u.verify(ctx, p.of(u.issuer.source), h)
	if err != nil {
		return auth.Principal{}, nil, err
	}
	expires, err := u.issuer.accept(u.claims, p.now())
	if err != nil {
		return auth.Principal{}, nil, err
	}
	principal, err := u.issuer.principal(u.claims)
	if err != nil {
		return auth.Principal{}, nil, malformed(err)
	}
	principal.Expires = expires
	return principal, k, nil
}

func malformed(cause error) error { return auth.Fail(auth.InvalidCredential, auth.ReasonForm, cause) }

func refused(reason auth.Reason) error { return auth.Fail(auth.InvalidCredential, reason, nil) }

// verify finds the key and checks the signature. Where the key is not known,
// or a token without a kid does not fit the only one, the issuer is asked
// again: it may have new ones.
func (u *Token) verify(ctx context.Context, keys *Keys, h header) (*Key, error) {
	sum, err := unwrap(u.signature)
	if err != nil {
		return nil, malformed(err)
	}
	known, err := keys.current(ctx)
	if err != nil {
		return nil, err
	}
	k, final := known.find(h)
	if u.signedBy(k, h, sum) {
		return k, nil
	}
	if final || k != nil && h.keyID != "" {
		return nil, refused(auth.ReasonSignature)
	}
	fresh, err := keys.missing(ctx, known)
	if err != nil {
		return nil, err
	}
	if k, _ = fresh.find(h); u.signedBy(k, h, sum) {
		return k, nil
	}
	return nil, refused(auth.ReasonSignature)
}

// signedBy reports whether k made the signature; no key made none.
func (u *Token) signedBy(k *Key, h header, sum []byte) bool {
	return k != nil && methods[h.algorithm].Verify(u.head+"."+u.payload, sum, k.public) == nil
}
