package gateway

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
)

// nobody is told of a caller that is not known.
var nobody forward.Identity

// tell sets what the upstream learns of the caller, and makes the caller known
// to the server first: a template may name it. Where it fails the upstream
// learns nothing.
func (s *Site) tell(r *http.Request, got presented) error {
	s.attach(r, got.verdict)
	identity := &nobody
	if got.verdict != nil {
		identity = got.verdict.Identity
	}
	assertion := ""
	if s.asserts(got) {
		var err error
		if assertion, err = s.assert(r, got.verdict); err != nil {
			return err
		}
	}
	extra, err := s.extra(r)
	if err != nil {
		return err
	}
	identity.Set(r.Header, extra...)
	if assertion != "" {
		r.Header[s.assertion.Field] = []string{assertion}
	}
	return nil
}

// asserts reports whether an assertion is told. An explanation makes none:
// signing can make a key, and nothing is written.
func (s *Site) asserts(got presented) bool {
	return s.assertion != nil && got.verdict != nil && s.trace == nil
}

// maxTold bounds the value of a configured field in bytes, before it is escaped.
// What is longer came from the request, whose header and query are bounded by a
// megabyte: three times that would not reach any upstream.
const maxTold = 4 << 10

// extra returns the configured fields for a request. One that is too long is
// the caller's fault: what a gateway knows of a caller is shorter.
func (s *Site) extra(r *http.Request) ([]forward.Field, error) {
	if len(s.names) == 0 {
		return nil, nil
	}
	extra := make([]forward.Field, len(s.names))
	for i, name := range s.names {
		value, err := s.expand(r, s.cfg.Fields[i].Value)
		if err != nil {
			return nil, auth.Fail(auth.Internal, "", fmt.Errorf("identity field %s: %w", name, err))
		}
		if len(value) > maxTold {
			return nil, auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
		}
		extra[i] = forward.Field{Name: name, Value: value}
	}
	return extra, nil
}

// expand replaces the placeholders of a template; there are none where no hook
// knows them.
func (s *Site) expand(r *http.Request, template string) (string, error) {
	if s.cfg.Hooks.Expand == nil {
		return template, nil
	}
	return s.cfg.Hooks.Expand(r, template)
}

// strip takes the credentials out of a request that goes upstream. Where they
// are kept, only the ones that were verified are: an upstream that is given
// credentials takes them for good ones.
func (s *Site) strip(r *http.Request, got presented) {
	if !s.cfg.KeepCredentials || got.verdict == nil {
		s.chain.Strip(r)
		return
	}
	for _, spec := range s.specs {
		if !got.verified(spec.Kind) {
			spec.Strip(r)
		}
	}
}

// verified reports whether a credential of this kind, or of one that may stand
// in the same field, was presented and good.
func (p presented) verified(kind auth.CredentialKind) bool {
	return sameField(kind, p.credential.Kind) ||
		slices.ContainsFunc(p.others, func(other auth.CredentialKind) bool { return sameField(kind, other) })
}

// sameField reports whether credentials of two kinds may stand in one field:
// an API key can have the header of the key of a triple.
func sameField(a, b auth.CredentialKind) bool {
	return a == b || holdsKey(a) && holdsKey(b)
}

func holdsKey(k auth.CredentialKind) bool { return k == auth.APIKey || k == auth.KeyUserToken }
