package token

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// MaxAssertionTTL bounds the life of an assertion: what is revoked meanwhile
// stays asserted for no longer.
const MaxAssertionTTL = 60 * time.Second

// maxTarget bounds the host and path of an assertion, which a client chooses, in
// bytes: the field that carries it is a header line like any other.
const maxTarget = 4 << 10

// assertionAlgorithm signs assertions: they are made while a request waits.
const assertionAlgorithm = "EdDSA"

// Assertion is what an upstream is told of a caller, in a form that it can
// verify: a JWT with a type of its own, signed with keys that sign nothing else.
// It is good for one method, host and path.
type Assertion struct {
	// Audience is who shall believe it; at least one.
	Audience []string
	// Caller is whom it is about.
	Caller *auth.Principal
	// Credential names what the caller presented: kind and id, never the secret.
	Credential string
	// Method, Host and Path are those of the request: Path percent-encoded as
	// it is sent on, without the query.
	Method, Host, Path string
	// TTL is its life, in whole seconds, of at most [MaxAssertionTTL]. It never
	// outlives the caller's own credential.
	TTL time.Duration
}

// assertionClaims is its payload. Names are those of RFC 7519, of RFC 9068
// (roles, scope) and RFC 9449 (htm) where they have one.
type assertionClaims struct {
	Issuer     string    `json:"iss"`
	Audience   audiences `json:"aud"`
	Subject    string    `json:"sub"`
	Issued     int64     `json:"iat"`
	Expires    int64     `json:"exp"`
	Method     string    `json:"htm"`
	Host       string    `json:"host"`
	Path       string    `json:"path"`
	Username   string    `json:"username,omitempty"`
	Tenant     string    `json:"tenant,omitempty"`
	Unit       string    `json:"unit,omitempty"`
	Roles      []string  `json:"roles,omitempty"`
	Scope      string    `json:"scope,omitempty"`
	Credential string    `json:"credential"`
}

// audiences is one text or a list of several (RFC 7519 section 4.1.3).
type audiences []string

// MarshalJSON implements [json.Marshaler].
func (a audiences) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// Assert signs an assertion of realm and returns it with its exp. The first
// call makes a key where the store has none; an error of the store is passed
// on. A target that is too long, also beside what is said of the caller, is
// [auth.Malformed] with [auth.ReasonTooLarge], a caller of whom too much would
// be said [auth.Internal] with that reason, a caller whose credential has expired
// [auth.InvalidCredential].
func (s *Signers) Assert(ctx context.Context, realm string, a Assertion) (auth.Secret, time.Time, error) {
	if len(a.Audience) == 0 || a.TTL < time.Second || a.TTL > MaxAssertionTTL {
		return auth.Secret{}, time.Time{}, auth.Fail(auth.Internal, "", errors.New("an assertion needs an audience, and a life of 1 to 60 seconds"))
	}
	if len(a.Host)+len(a.Path) > maxTarget {
		return auth.Secret{}, time.Time{}, tooLong()
	}
	now, end := s.now(), a.Caller.Expires
	if !end.IsZero() && !now.Before(end) { // since the caller was verified
		return auth.Secret{}, time.Time{}, refuse(auth.ReasonExpired)
	}
	issued := now.Truncate(time.Second)
	expires := issued.Add(a.TTL)
	if !end.IsZero() && end.Before(expires) {
		expires = end.Add(time.Second - 1).Truncate(time.Second)
	}
	payload, err := json.Marshal(a.claims(realm, issued, expires))
	if err != nil {
		return auth.Secret{}, time.Time{}, auth.Fail(auth.Internal, "", err)
	}
	text, err := s.signAs(ctx, UseAssertion, payload, expires)
	if e := auth.AsError(err); e != nil && e.Reason == auth.ReasonTooLarge && len(payload)-len(a.Path) <= maxPayload {
		err = tooLong() // it would fit about another path
	}
	return text, expires, err
}

// maxPayload leaves room in a JWT for its header and signature.
const maxPayload = (MaxJWT - 512) / 4 * 3

func tooLong() error {
	return auth.Fail(auth.Malformed, auth.ReasonTooLarge, errors.New("the path is longer than an assertion can say"))
}

func (a Assertion) claims(realm string, issued, expires time.Time) assertionClaims {
	p := a.Caller
	return assertionClaims{
		Issuer: issuer(realm), Audience: a.Audience, Subject: p.Subject, Issued: issued.Unix(), Expires: expires.Unix(),
		Method: a.Method, Host: a.Host, Path: a.Path,
		Username: p.Username, Tenant: p.Tenant, Unit: p.Unit,
		Roles: p.Roles, Scope: strings.Join(p.Scopes, " "), Credential: a.Credential,
	}
}
