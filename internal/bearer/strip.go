package bearer

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Strip takes the credential out of a request that goes upstream, good or bad:
// reading it again finds nothing. Headers are deleted; a query parameter goes
// from URL.RawQuery and from RequestURI, which some handlers forward, and the
// other parameters stay byte for byte. An Authorization field of another
// scheme is the upstream's business and stays. So does a body, which may be
// signed or have a length that was already announced, unless StripMember says
// otherwise.
func (s Spec) Strip(r *http.Request) { s.strip(r) }

// strip is [Spec.Strip] without a copy.
func (s *Spec) strip(r *http.Request) {
	switch s.Kind {
	case auth.Bearer, auth.Basic:
		s.stripAuthorization(r)
	case auth.APIKey:
		delete(r.Header, s.header())
	case auth.KeyUserToken:
		for _, name := range []string{headerKey, headerUser, headerToken, headerEntity} {
			delete(r.Header, name)
		}
	case auth.Query:
		s.stripQuery(r)
	case auth.Body:
		s.stripBody(r)
	}
}

// stripAuthorization deletes the field where its only value is for this spec,
// or where there are several, which read two ways.
func (s *Spec) stripAuthorization(r *http.Request) {
	fields := r.Header[authorization]
	if len(fields) == 0 {
		return
	}
	if _, ours := s.scheme(fields[0]); ours || len(fields) > 1 {
		delete(r.Header, authorization)
	}
}

func (s *Spec) stripQuery(r *http.Request) {
	r.URL.RawQuery = s.withoutParameter(r.URL.RawQuery)
	path, query, ok := strings.Cut(r.RequestURI, "?")
	if !ok || !s.inQuery(query) {
		return
	}
	r.RequestURI = path
	if kept := s.withoutParameter(query); kept != "" {
		r.RequestURI += "?" + kept
	}
}
