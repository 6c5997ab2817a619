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
// scheme is the upstream's business and stays. A body is left alone: it may be
// signed or have a length that was already announced.
func (s Spec) Strip(r *http.Request) {
	switch s.Kind {
	case auth.Bearer:
		stripScheme(r, "bearer")
	case auth.Basic:
		stripScheme(r, "basic")
	case auth.APIKey:
		delete(r.Header, s.header())
	case auth.KeyUserToken:
		for _, name := range []string{headerKey, headerUser, headerToken, headerEntity} {
			delete(r.Header, name)
		}
	case auth.Query:
		s.stripQuery(r)
	}
}

// stripScheme deletes Authorization where its only value has this scheme, or
// where there are several, which read two ways.
func stripScheme(r *http.Request, scheme string) {
	fields := r.Header[authorization]
	if len(fields) > 1 || len(fields) == 1 && hasScheme(fields[0], scheme) {
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
