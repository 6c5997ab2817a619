package gateway

import (
	"iter"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// reading is the path of a request, as its upstream will see it.
type reading struct {
	path string // decoded once
	// others are further ways to read it, where the site allows a spelling
	// that upstreams differ over: nil for nearly every request.
	others []string
}

// read reads the path of a request and finds the login block that answers it,
// nil for none. A path that reads in several ways is never a login's: the
// upstream could answer what the login should have.
func (s *Site) read(r *http.Request) (reading, *login, error) {
	path, others, err := s.cfg.Paths.Read(r.RequestURI, r.URL)
	switch {
	case err != nil:
		return reading{}, nil, err
	case path == "*" && r.Method != http.MethodOptions: // RFC 9112 section 3.2.4
		return reading{}, nil, twoWays()
	}
	l := s.loginFor(path)
	for _, other := range others {
		if l != nil || s.loginFor(other) != nil {
			return reading{}, nil, twoWays()
		}
	}
	return reading{path, others}, l, nil
}

func twoWays() error { return auth.Fail(auth.Malformed, auth.ReasonPath, nil) }

// in yields the path and then every other way to read it. Meanwhile the request
// has that path, so that matchers and placeholders read it in the same way.
func (p reading) in(r *http.Request) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(p.path) || p.others == nil {
			return
		}
		defer func(path, raw string) { r.URL.Path, r.URL.RawPath = path, raw }(r.URL.Path, r.URL.RawPath)
		for _, other := range p.others {
			r.URL.Path, r.URL.RawPath = other, ""
			if !yield(other) {
				return
			}
		}
	}
}
