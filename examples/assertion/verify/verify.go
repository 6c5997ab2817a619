// Package verify verifies the assertions of a gateway, for an upstream behind
// it. It stands on the standard library alone, so that it can be copied.
//
// A good assertion says that the gateway let this caller make this request: one
// for another method, host or path, for another audience, or from before the
// last minute is refused.
package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// algorithm and typ are those of every assertion. Nothing else is taken,
	// whatever a header says (RFC 8725 section 3.1).
	algorithm = "EdDSA"
	typ       = "gatehouse-assertion+jwt"
	// maxLife and leeway are in seconds. The leeway is for clocks that differ.
	maxLife = 60
	leeway  = 5
	// maxLength stops a long text from being decoded.
	maxLength = 8 << 10
)

// Verifier verifies assertions. It may be used by many goroutines.
type Verifier struct {
	// Keys are the gateway's.
	Keys *KeySet
	// Issuer is "gatehouse:" and the realm, Audience what the gateway's
	// configuration says.
	Issuer, Audience string
	// Field carries the assertion; "" is X-Auth-Assertion.
	Field string
	// Now is the clock; nil is [time.Now].
	Now func() time.Time
}

// Claims is what an assertion says.
type Claims struct {
	Issuer     string   `json:"iss"`
	Audience   audience `json:"aud"`
	Subject    string   `json:"sub"`
	Issued     int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	Method     string   `json:"htm"`
	Host       string   `json:"host"`
	Path       string   `json:"path"`
	Username   string   `json:"username"`
	Tenant     string   `json:"tenant"`
	Unit       string   `json:"unit"`
	Roles      []string `json:"roles"`
	Scope      string   `json:"scope"`
	Credential string   `json:"credential"`
}

// audience is one text or a list.
type audience []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, (*[]string)(a))
	}
	*a = make(audience, 1)
	return json.Unmarshal(text, &(*a)[0])
}

// Handler answers 401 unless a request brings a good assertion, and 503 where
// the gateway's keys cannot be had. next finds the claims with [From].
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := v.Verify(r)
		switch {
		case errors.Is(err, ErrKeys):
			http.Error(w, "the keys of the gateway are out of reach", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, "no good assertion", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r.WithContext(with(r.Context(), claims)))
		}
	})
}

// Verify returns what the assertion of a request says, or why it is not good
// for this request; [ErrKeys] where that cannot be told.
func (v *Verifier) Verify(r *http.Request) (*Claims, error) {
	field := v.Field
	if field == "" {
		field = "X-Auth-Assertion"
	}
	values := r.Header.Values(field)
	if len(values) != 1 || len(values[0]) > maxLength {
		return nil, fmt.Errorf("%d assertions, or one that is too long", len(values))
	}
	payload, err := v.open(r, values[0])
	if err != nil {
		return nil, err
	}
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, errors.New("the claims are not readable")
	}
	return &c, v.check(r, &c)
}

// open returns the payload of a text that the gateway signed.
func (v *Verifier) open(r *http.Request, text string) ([]byte, error) {
	segments := strings.Split(text, ".")
	if len(segments) != 3 {
		return nil, errors.New("no JWT")
	}
	var decoded [3][]byte
	for i, s := range segments {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(s); err != nil {
			return nil, errors.New("no JWT")
		}
	}
	var head struct{ Alg, Kid, Typ string }
	if err := json.Unmarshal(decoded[0], &head); err != nil || head.Alg != algorithm || head.Typ != typ {
		return nil, errors.New("no assertion")
	}
	key, err := v.Keys.key(r.Context(), head.Kid)
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(key, []byte(segments[0]+"."+segments[1]), decoded[2]) {
		return nil, errors.New("the signature is wrong")
	}
	return decoded[1], nil
}

// check holds claims against the request.
func (v *Verifier) check(r *http.Request, c *Claims) error {
	now := time.Now().Unix()
	if v.Now != nil {
		now = v.Now().Unix()
	}
	switch {
	case c.Issuer != v.Issuer:
		return errors.New("it is of another issuer")
	case !slices.Contains(c.Audience, v.Audience):
		return errors.New("it is for others")
	case c.Subject == "", c.Expires <= c.Issued, c.Expires > c.Issued+maxLife:
		return errors.New("its life is not that of an assertion")
	case now < c.Issued-leeway, now >= c.Expires+leeway:
		return errors.New("it has expired, or is not good yet")
	case c.Method != r.Method, c.Host != strings.ToLower(r.Host), c.Path != r.URL.EscapedPath():
		return errors.New("it was made for another request")
	}
	return nil
}
