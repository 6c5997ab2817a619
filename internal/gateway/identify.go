package gateway

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// identify finds the one credential that counts.
func (s *Site) identify(r *http.Request) (presented, error) {
	all, err := s.chain.Read(r)
	s.tracePresented(&all, err)
	if err != nil {
		return presented{}, err
	}
	if all.Len() == 0 {
		return presented{}, auth.Fail(auth.NoCredential, "", nil)
	}
	if err := s.refuseCleartext(r, &all); err != nil {
		return presented{}, err
	}
	if all.Len() == 1 {
		return s.resolve(r, all.At(0))
	}
	got, err := s.combine(r, &all)
	s.traceCombined(got, err)
	return got, err
}

// combine settles a request with several credentials. All that are good must
// be of one caller: then the first counts. A bad one is the answer, unless a
// dialect says that it yields to a good one of that other kind. One that could
// not be verified is the answer before any other, since it may be good: a
// fault of ours is never told as the caller's.
func (s *Site) combine(r *http.Request, all *bearer.Presented) (presented, error) {
	var good, bad []presented
	var refusals []error
	for i := range all.Len() {
		got, err := s.resolve(r, all.At(i))
		switch {
		case err == nil:
			good = append(good, got)
		case !isCallers(err):
			return got, err
		default:
			bad, refusals = append(bad, got), append(refusals, err)
		}
	}
	for i, b := range bad {
		if !s.yields(b, good) {
			return b, refusals[i]
		}
	}
	return oneCaller(good)
}

// yields reports whether a bad credential counts as absent beside one of the
// good ones.
func (s *Site) yields(bad presented, good []presented) bool {
	for _, g := range good {
		if s.chain.Yields(bad.credential.Kind, g.credential.Kind) {
			return true
		}
	}
	return false
}

// oneCaller returns the first of several good credentials, of which there is
// one at least, if all are of one caller.
func oneCaller(good []presented) (presented, error) {
	first := good[0]
	for _, g := range good[1:] {
		if g.verdict.Principal.Subject != first.verdict.Principal.Subject {
			return presented{}, auth.Fail(auth.Malformed, auth.ReasonAmbiguous, nil)
		}
		first.others = append(first.others, g.credential.Kind)
	}
	return first, nil
}

// resolve verifies one credential for this request.
func (s *Site) resolve(r *http.Request, c bearer.Credential) (presented, error) {
	s.traceCache()
	got, err := s.verify(r, c)
	s.traceResolved(got, err)
	return got, err
}

func (s *Site) verify(r *http.Request, c bearer.Credential) (presented, error) {
	got := presented{credential: c}
	v, err := s.resolver.ResolveTrusting(r.Context(), s.trust, s.cfg.Realm, c)
	if err != nil {
		return got, err
	}
	if v.Restricted() && !v.Admits(s.address(r)) {
		return got, auth.Fail(auth.InvalidCredential, auth.ReasonAddress, v.Genuine())
	}
	if !isAbout(v.Principal.Only, r) {
		return got, auth.Fail(auth.InvalidCredential, auth.ReasonAudience, nil)
	}
	got.verdict = v
	return got, nil
}

// isAbout reports whether a credential that is good for one request is presented
// with that one. A verdict is shared by all that present it, so each is held
// against it.
func isAbout(only *auth.Target, r *http.Request) bool {
	return only == nil ||
		only.Method == r.Method && only.Host == strings.ToLower(r.Host) && only.Path == r.URL.EscapedPath()
}

// refuseCleartext stops a credential in the query of a request without TLS:
// query strings end up in logs, histories and Referer fields on the way.
func (s *Site) refuseCleartext(r *http.Request, all *bearer.Presented) error {
	if r.TLS != nil || s.cfg.InsecureHTTP {
		return nil
	}
	for i := range all.Len() {
		if all.At(i).Kind == auth.Query {
			s.traceCleartext()
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
