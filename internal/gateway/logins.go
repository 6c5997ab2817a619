package gateway

import (
	"cmp"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// login is a login block that is ready to answer.
type login struct {
	dialect.Dialect
	kind   dialect.Kind
	base   string
	routes []dialect.Route
}

func (s *Site) addLogins() error {
	for _, l := range s.cfg.Logins {
		built, err := s.buildLogin(l)
		if err != nil {
			return fmt.Errorf("login %s %s: %w", l.Kind.Name, l.Config.Base, err)
		}
		if other, path, ok := s.claimed(built.routes); ok {
			return fmt.Errorf("login %s %s and login %s %s both answer %s: give one of them another path",
				other.kind.Name, other.base, l.Kind.Name, l.Config.Base, path)
		}
		s.logins = append(s.logins, built)
	}
	return nil
}

func (s *Site) buildLogin(l Login) (login, error) {
	c := l.Config
	if c.TTL == 0 {
		c.TTL = l.Kind.TTL
	}
	d, err := l.dialect(c, session.New(s.deps, l.sessions(s.cfg.Realm)))
	if err != nil {
		return login{}, err
	}
	return login{Dialect: d, kind: l.Kind, base: c.Base, routes: d.Routes()}, nil
}

// sessions is what the tokens of a login block are like in a realm.
func (l Login) sessions(realm string) session.Config {
	c := session.Config{
		Realm: realm, Dialect: l.Kind.Name, TTL: cmp.Or(l.Config.TTL, l.Kind.TTL), Idle: l.Config.Idle,
		JWT: l.Config.Format == "jwt", Attempts: l.Attempts, Remember: session.DefaultRemember,
	}
	if l.Kind.Session != nil {
		l.Kind.Session(l.Config, &c)
	}
	return c
}

// TTL returns the life of the tokens that a login gives: the one that was
// configured, or the dialect's own.
func (l Login) TTL() time.Duration { return l.sessions("").TTL }

// dialect builds what answers.
func (l Login) dialect(c dialect.Config, svc *session.Service) (dialect.Dialect, error) {
	d, err := l.Kind.New(c, svc)
	if err != nil {
		return nil, err
	}
	return describe(d, l.Kind, c)
}

// Routes lists the paths that a login block answers, for those who compare
// blocks before a guard is built of them.
func (l Login) Routes() ([]dialect.Route, error) {
	d, err := l.dialect(l.Config, session.New(&session.Deps{}, session.Config{}))
	if err != nil {
		return nil, err
	}
	return d.Routes(), nil
}

// claimed finds an earlier login that answers one of these routes.
func (s *Site) claimed(routes []dialect.Route) (other login, path string, ok bool) {
	for _, l := range s.logins {
		if path := dialect.Shared(routes, l.routes); path != "" {
			return l, path, true
		}
	}
	return login{}, "", false
}

// credentials returns what counts on this site. A credential that accept names
// and dialects know is read as they say: of several that read one place each
// adds the form that it knows.
func (s *Site) credentials() []bearer.Spec {
	var known []bearer.Spec
	for _, l := range s.cfg.Logins {
		known = append(known, l.Kind.Credentials(l.Config)...)
	}
	known = append(known, s.outsiders()...)
	if s.cfg.Accept == nil {
		return known
	}
	var specs []bearer.Spec
	for _, accepted := range s.cfg.Accept {
		before := len(specs)
		for _, spec := range known {
			if spec.SameSource(accepted) {
				specs = append(specs, spec)
			}
		}
		if len(specs) == before {
			specs = append(specs, accepted)
		}
	}
	return specs
}

// yieldPairs lists what the dialects of this site declare.
func (s *Site) yieldPairs() [][2]auth.CredentialKind {
	var pairs [][2]auth.CredentialKind
	for _, l := range s.cfg.Logins {
		pairs = append(pairs, l.Kind.Yields...)
	}
	return pairs
}

// TokenPaths lists the paths below which a segment may be a token itself, for
// those who redact logs.
func (s *Site) TokenPaths() []string {
	var paths []string
	for _, l := range s.cfg.Logins {
		if l.Kind.TokenPaths != nil {
			paths = append(paths, l.Kind.TokenPaths(l.Config)...)
		}
	}
	return paths
}
