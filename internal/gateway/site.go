package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// Site is one guard. It is built without a runtime, so that a configuration
// can be checked without opening a store, and answers 503 until [Site.Bind].
type Site struct {
	cfg      Config
	logins   []login
	chain    *bearer.Chain
	fields   *forward.Fields
	names    []string // of cfg.Fields, in canonical form
	public   []rule
	require  []requirement
	refuser  refuser
	ready    atomic.Bool
	deps     *session.Deps
	resolver *authn.Resolver
	rates    *throttle.Rate
}

// login is a login block that is ready to answer.
type login struct {
	dialect.Dialect
	kind   dialect.Kind
	routes []dialect.Route
}

// New checks a configuration and builds its guard.
func New(cfg Config) (*Site, error) {
	if cfg.Realm == "" {
		cfg.Realm = DefaultRealm
	}
	s := &Site{cfg: cfg, deps: &session.Deps{}}
	if err := s.addLogins(); err != nil {
		return nil, err
	}
	if err := s.addRules(); err != nil {
		return nil, err
	}
	if err := s.addChain(); err != nil {
		return nil, err
	}
	if err := s.addFields(); err != nil {
		return nil, err
	}
	var err error
	s.refuser, err = s.chooseRefuser()
	return s, err
}

func (s *Site) addChain() error {
	specs := s.credentials()
	if len(specs) == 0 {
		return errors.New("no credential counts on this site: name some with accept, or add a login")
	}
	for _, spec := range specs {
		if err := spec.Check(); err != nil {
			return fmt.Errorf("accept %s: %w", spec.Kind, err)
		}
	}
	s.chain = bearer.NewChain(specs, s.yields())
	return nil
}

func (s *Site) addFields() error {
	credentials := s.chain.Headers()
	names := make([]string, len(s.cfg.Fields))
	for i, f := range s.cfg.Fields {
		if err := forward.CheckName(f.Name, credentials); err != nil {
			return fmt.Errorf("identity: %w", err)
		}
		names[i] = http.CanonicalHeaderKey(f.Name)
	}
	for _, m := range s.cfg.Methods {
		if err := forward.CheckMethod(m); err != nil {
			return fmt.Errorf("methods: %w", err)
		}
	}
	s.names = names
	s.fields = forward.NewFields(names, credentials...)
	return nil
}

// Bind gives the guard what it shares with others, before or while requests
// come in. Once it is bound, another call does nothing; two must not overlap.
func (s *Site) Bind(rt *Runtime) {
	if s.ready.Load() {
		return
	}
	*s.deps = session.Deps{
		Store: rt.Store, Resolver: rt.Resolver, Hasher: rt.Hasher, Attempts: rt.Attempts,
		Signers: rt.Signers, Now: rt.Now, Audit: s.audit,
	}
	s.resolver, s.rates = rt.Resolver, rt.Rates
	s.ready.Store(true)
}

// Chain returns what the guard reads credentials with, for those who redact
// them in logs.
func (s *Site) Chain() *bearer.Chain { return s.chain }

// Realm returns the protection space of the guard.
func (s *Site) Realm() string { return s.cfg.Realm }

// Identify returns who makes a request, by the one credential that counts, and
// changes nothing. Errors are those of the guard; [auth.Unavailable] before
// Bind.
func (s *Site) Identify(r *http.Request) (*authn.Verdict, error) {
	if !s.ready.Load() {
		return nil, auth.Fail(auth.Unavailable, auth.ReasonStarting, nil)
	}
	got, err := s.identify(r)
	return got.verdict, err
}

func (s *Site) addLogins() error {
	for _, l := range s.cfg.Logins {
		built, err := s.buildLogin(l)
		if err != nil {
			return fmt.Errorf("login %s %s: %w", l.Kind.Name, l.Config.Base, err)
		}
		if other, path, ok := s.claimed(built.routes); ok {
			return fmt.Errorf("login %s and login %s both answer %s: give one of them another base path",
				other.kind.Name, l.Kind.Name, path)
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
	svc := session.Config{
		Realm: s.cfg.Realm, Dialect: l.Kind.Name, TTL: c.TTL, Idle: c.Idle,
		JWT: c.Format == "jwt", Form: l.Kind.Form, Attempts: l.Attempts,
	}
	if l.Kind.Remember != nil {
		svc.Remember = l.Kind.Remember(c)
	}
	d, err := l.Kind.New(c, session.New(s.deps, svc))
	if err != nil {
		return login{}, err
	}
	return login{Dialect: d, kind: l.Kind, routes: d.Routes()}, nil
}

// claimed finds an earlier login that answers one of these routes.
func (s *Site) claimed(routes []dialect.Route) (other login, path string, ok bool) {
	for _, l := range s.logins {
		for _, r := range routes {
			if slices.ContainsFunc(l.routes, r.Overlaps) {
				return l, r.Path, true
			}
		}
	}
	return login{}, "", false
}

// credentials returns what counts on this site. A credential that accept names
// and a dialect knows is read as that dialect says.
func (s *Site) credentials() []bearer.Spec {
	var known []bearer.Spec
	for _, l := range s.cfg.Logins {
		for _, spec := range l.Kind.Credentials(l.Config) {
			if !slices.ContainsFunc(known, spec.SameSource) {
				known = append(known, spec)
			}
		}
	}
	if s.cfg.Accept == nil {
		return known
	}
	specs := slices.Clone(s.cfg.Accept)
	for i, spec := range specs {
		if at := slices.IndexFunc(known, spec.SameSource); at >= 0 {
			specs[i] = known[at]
		}
	}
	return specs
}

func (s *Site) yields() [][2]auth.CredentialKind {
	var pairs [][2]auth.CredentialKind
	for _, l := range s.cfg.Logins {
		pairs = append(pairs, l.Kind.Yields...)
	}
	return pairs
}
