package gateway

import (
	"net/http"
	"net/netip"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// presented is what a request brought and what it was worth.
type presented struct {
	credential bearer.Credential
	// verdict is nil for an anonymous caller.
	verdict *authn.Verdict
}

func (p presented) outcome() Outcome {
	if p.verdict == nil {
		return Anonymous
	}
	return Passed
}

// decide says whether a request may pass, and as whom.
func (s *Site) decide(r *http.Request, path string) (presented, error) {
	public, err := s.isPublic(path, r)
	if err != nil {
		return presented{}, auth.Fail(auth.Internal, "", err)
	}
	if err := s.limitAddress(r); err != nil {
		return presented{}, err
	}
	got, err := s.identify(r)
	if err != nil && (!public || !isCallers(err)) {
		return got, err
	}
	if err != nil {
		got = presented{} // a bad credential on a public path counts for nothing
	}
	if err := s.authorize(path, r, got.principal()); err != nil {
		return got, err
	}
	return got, s.limitCaller(r, got)
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

func (p presented) principal() *auth.Principal {
	if p.verdict == nil {
		return nil
	}
	return p.verdict.Principal
}

// identify finds the one credential that counts.
func (s *Site) identify(r *http.Request) (presented, error) {
	all, err := s.chain.Read(r)
	if err != nil {
		return presented{}, err
	}
	if all.Len() == 0 {
		return presented{}, auth.Fail(auth.NoCredential, "", nil)
	}
	if err := s.refuseCleartext(r, &all); err != nil {
		return presented{}, err
	}
	got, err := s.resolve(r, all.At(0))
	if all.Len() == 1 {
		return got, err
	}
	return s.combine(r, &all, got, err)
}

// combine settles a request with several credentials. All must be good and of
// one caller: then the first counts. A bad one is the answer, unless a dialect
// says that it yields to a good one of that other kind.
func (s *Site) combine(r *http.Request, all *bearer.Presented, first presented, err error) (presented, error) {
	got := first
	for i := 1; i < all.Len(); i++ {
		next, nextErr := s.resolve(r, all.At(i))
		switch {
		case err == nil && nextErr == nil:
			if next.verdict.Principal.Subject != got.verdict.Principal.Subject {
				return presented{}, auth.Fail(auth.Malformed, auth.ReasonAmbiguous, nil)
			}
		case err == nil && s.yieldsTo(nextErr, next, got): // the good one counts
		case nextErr == nil && s.yieldsTo(err, got, next):
			got, err = next, nil
		case err == nil:
			got, err = next, nextErr
		}
	}
	return got, err
}

func (s *Site) yieldsTo(badErr error, bad, good presented) bool {
	return auth.CodeOf(badErr) == auth.InvalidCredential && s.chain.Yields(bad.credential.Kind, good.credential.Kind)
}

// resolve verifies one credential for this request.
func (s *Site) resolve(r *http.Request, c bearer.Credential) (presented, error) {
	got := presented{credential: c}
	v, err := s.resolver.Resolve(r.Context(), s.cfg.Realm, c)
	if err != nil {
		return got, err
	}
	if v.Restricted() && !v.Admits(s.address(r)) {
		return got, auth.Fail(auth.InvalidCredential, auth.ReasonAddress, nil)
	}
	got.verdict = v
	return got, nil
}

// refuseCleartext stops a credential in the query of a request without TLS:
// query strings end up in logs, histories and Referer fields on the way.
func (s *Site) refuseCleartext(r *http.Request, all *bearer.Presented) error {
	if r.TLS != nil || s.cfg.InsecureHTTP {
		return nil
	}
	for i := range all.Len() {
		if all.At(i).Kind == auth.Query {
			return auth.Fail(auth.Malformed, auth.ReasonCleartext, nil)
		}
	}
	return nil
}

func (s *Site) address(r *http.Request) netip.Addr {
	if s.cfg.Hooks.Address == nil {
		return netip.Addr{}
	}
	return s.cfg.Hooks.Address(r)
}
