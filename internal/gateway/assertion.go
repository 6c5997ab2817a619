package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Assertion has an upstream told who calls in a form that it can verify: a JWT
// for one method, host and path, signed with a key that [JWKSPath] publishes.
type Assertion struct {
	// Field is the header field that carries it; "" is [AssertionField].
	Field string
	// Audience is the aud: at least one.
	Audience []string
	// TTL is its life, in whole seconds, from [MinAssertionTTL] to
	// [token.MaxAssertionTTL], which 0 stands for.
	TTL time.Duration
}

const (
	// AssertionField carries an assertion where no other field is named.
	AssertionField = "X-Auth-Assertion"
	// MinAssertionTTL leaves an upstream time to read what was signed for a
	// request before it.
	MinAssertionTTL = 5 * time.Second
	maxAudience     = 256
)

// Check returns why an assertion cannot be configured so.
func (a Assertion) Check() error {
	if len(a.Audience) == 0 {
		return errors.New("an assertion needs an audience: who shall believe it")
	}
	for i, name := range a.Audience {
		if name == "" || len(name) > maxAudience || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return fmt.Errorf("the audience %q must be 1 to %d printable ASCII characters without spaces", name, maxAudience)
		}
		if slices.Contains(a.Audience[:i], name) {
			return fmt.Errorf("the audience %q stands twice", name)
		}
	}
	if a.TTL != 0 && (a.TTL < MinAssertionTTL || a.TTL > token.MaxAssertionTTL || a.TTL%time.Second != 0) {
		return fmt.Errorf("the ttl %s of an assertion must be %s to %s, in whole seconds", a.TTL, MinAssertionTTL, token.MaxAssertionTTL)
	}
	return a.checkField()
}

func (a Assertion) checkField() error {
	field := cmp.Or(a.Field, AssertionField)
	if err := forward.CheckName(field, nil); err != nil {
		return err
	}
	if slices.ContainsFunc(forward.DefaultNames(), func(name string) bool { return forward.SameName(name, field) }) {
		return fmt.Errorf("the field %s carries something else already", field)
	}
	return nil
}

// addAssertion checks the assertion against the rest of the site. Its field
// joins those that no client may send.
func (s *Site) addAssertion() error {
	if s.cfg.Assertion == nil {
		return nil
	}
	a := *s.cfg.Assertion
	if err := a.Check(); err != nil {
		return fmt.Errorf("identity: assertion: %w", err)
	}
	a.Field = http.CanonicalHeaderKey(cmp.Or(a.Field, AssertionField))
	a.TTL = cmp.Or(a.TTL, token.MaxAssertionTTL)
	if err := forward.CheckName(a.Field, s.chain.Headers()); err != nil {
		return fmt.Errorf("identity: assertion: %w", err)
	}
	if slices.ContainsFunc(s.cfg.Fields, func(f Field) bool { return forward.SameName(f.Name, a.Field) }) {
		return fmt.Errorf("identity: the field %s stands twice", a.Field)
	}
	s.assertion, s.asserted = &a, newAssertionCache()
	return nil
}

// AssertionField returns the field that carries an assertion, for those who
// redact it in logs; "" for none.
func (s *Site) AssertionField() string {
	if s.assertion == nil {
		return ""
	}
	return s.assertion.Field
}

// assert returns the assertion for a request. One that was made before for the same verdict, method, host and
// path serves until a tenth of its life is left. A verdict that was voided is
// looked up again, and the new one is another: what changed of a caller is never
// hidden by an assertion from before.
func (s *Site) assert(r *http.Request, v *authn.Verdict) (string, error) {
	path := cmp.Or(r.URL.EscapedPath(), "/") // as an empty one is forwarded
	k := assertionKey{v, r.Method, strings.ToLower(r.Host), path}
	now := s.deps.Now()
	if text := s.asserted.get(k, now); text != "" {
		return text, nil
	}
	secret, expires, err := s.deps.Signers.Assert(r.Context(), s.cfg.Realm, token.Assertion{
		Audience: s.assertion.Audience, Caller: v.Principal, Credential: forward.Credential(v.Principal),
		Method: k.method, Host: k.host, Path: k.path, TTL: s.assertion.TTL,
	})
	if err != nil {
		return "", err
	}
	text := secret.Reveal()
	s.asserted.put(k, text, expires.Add(-expires.Sub(now)/10))
	return text, nil
}
