package gateway

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
)

// presented is what a request brought and what it was worth.
type presented struct {
	// credential is the one that counts, or the one that was refused.
	credential bearer.Credential
	// verdict is nil for an anonymous caller.
	verdict *authn.Verdict
	// others are the kinds of further credentials of the same caller.
	others []auth.CredentialKind
	// preflight is a question that the guard answers; nothing was decided.
	preflight bool
	// public is a request that needed no credential.
	public bool
	// rule is the requirement that refused, counted from 1; 0 for none.
	rule int
}

func (p presented) outcome() Outcome {
	if p.verdict == nil {
		return Anonymous
	}
	return Passed
}

func (p presented) principal() *auth.Principal {
	if p.verdict == nil {
		return nil
	}
	return p.verdict.Principal
}

// decide says whether a request may pass, and as whom.
func (s *Site) decide(r *http.Request, at reading) (presented, error) {
	if !forward.Method(r.Method, s.cfg.Methods) {
		s.traceMethod(r)
		return presented{}, auth.Fail(auth.Malformed, auth.ReasonMethod, nil)
	}
	if changes(r.Method) && dialect.EarlyData(r) {
		return presented{}, auth.Fail(auth.Malformed, auth.ReasonEarlyData, nil)
	}
	public, err := s.isPublic(at, r)
	if err != nil {
		return presented{}, auth.Fail(auth.Internal, "", err)
	}
	s.traceRate()
	if err := s.limitAddress(r); err != nil {
		return presented{}, err
	}
	if !public && s.asksFirst(r) {
		s.tracePreflight()
		return presented{preflight: true}, nil
	}
	got, err := s.identify(r)
	if err != nil && (!public || !isCallers(err)) {
		return got, err
	}
	if err != nil {
		got = presented{} // a bad credential on a public path counts for nothing
		s.traceIgnored()
	}
	got.public = public
	if got.rule, err = s.authorize(at, r, got.principal()); err != nil {
		return got, err
	}
	return got, s.limitCaller(r, got)
}

// changes reports whether a method is one that is not safe (RFC 9110 section
// 9.2.1), as all that this gateway does not know. Sent again by somebody who
// recorded TLS early data, it could do again what it did (RFC 8470 section 4);
// of a safe one the upstream is told by Early-Data, and decides.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// isCallers reports whether a failure is about the credential, and not about
// a store that could not be asked: that one is never hidden.
func isCallers(err error) bool {
	switch auth.CodeOf(err) {
	case auth.NoCredential, auth.InvalidCredential, auth.Malformed:
		return true
	default:
		return false
	}
}
