package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// Site is one guard. It is built without a runtime, so that a configuration
// can be checked without opening a store, and answers 503 until [Site.Bind].
type Site struct {
	cfg    Config
	logins []login
	specs  []bearer.Spec
	chain  *bearer.Chain
	trust  *issuer.Trust // nil where no outside issuer is trusted
	fields *forward.Fields
	names  []string // of cfg.Fields, in canonical form
	// assertion is nil where none is told; asserted are those made so far.
	assertion *Assertion
	asserted  *assertionCache
	// keys answers at [JWKSPath]; nil where there are none to publish.
	keys     *login
	public   []rule
	require  []requirement
	refuser  refuser
	cors     dialect.CORS
	ready    atomic.Bool
	deps     *session.Deps
	resolver *authn.Resolver
	rates    *throttle.Rate
	underway *underway
	// storeTime is as in [RuntimeConfig].
	storeTime time.Duration
	// trace is nil for a guard that serves.
	trace *Explainer
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
	if err := s.addKeys(); err != nil {
		return nil, err
	}
	if err := s.addCORS(); err != nil {
		return nil, err
	}
	if err := s.addRules(); err != nil {
		return nil, err
	}
	if err := s.addChain(); err != nil {
		return nil, err
	}
	if err := s.addTrust(); err != nil {
		return nil, err
	}
	if err := s.addFields(); err != nil {
		return nil, err
	}
	var err error
	if s.refuser, err = s.chooseRefuser(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Site) addChain() error {
	s.specs = s.credentials()
	if len(s.specs) == 0 {
		return errors.New("no credential counts on this site: name some with accept, or add a login or a trust")
	}
	for _, spec := range s.specs {
		if err := spec.Check(); err != nil {
			return fmt.Errorf("accept %s: %w", spec.Kind, err)
		}
	}
	s.chain = bearer.NewChain(s.specs, s.yieldPairs())
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
	if err := s.addAssertion(); err != nil {
		return err
	}
	own := slices.Clone(names)
	if s.assertion != nil {
		own = append(own, s.assertion.Field)
	}
	s.fields = forward.NewFields(own, credentials...)
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
		Signers: rt.Signers, Ring: rt.Ring, Now: rt.Now, Audit: s.audit,
	}
	s.resolver, s.rates, s.underway, s.storeTime = rt.Resolver, rt.Rates, &rt.underway, rt.storeTime
	s.ready.Store(true)
}

// Chain returns what the guard reads credentials with, for those who redact
// them in logs.
func (s *Site) Chain() *bearer.Chain { return s.chain }

// Realm returns the protection space of the guard.
func (s *Site) Realm() string { return s.cfg.Realm }

// Identify returns who makes a request, by the one credential that counts, and
// changes nothing, nor answers anything to w. Errors are those of the guard;
// [auth.Unavailable] before Bind.
func (s *Site) Identify(w http.ResponseWriter, r *http.Request) (*authn.Verdict, error) {
	if !s.ready.Load() {
		return nil, auth.Fail(auth.Unavailable, auth.ReasonStarting, nil)
	}
	defer s.begin().end()
	content := s.timed(w, r)
	got, err := s.identify(r)
	if late := content.handOn(); err == nil { // to whoever else knows a credential
		err = late
	}
	switch {
	case err == nil:
		s.count(Passed, "")
	case auth.CodeOf(err) != auth.NoCredential: // whoever asks may know another way in
		s.count(Refused, reasonOf(auth.AsError(err)))
		s.auditRefusal(r, auth.AsError(err), got, false)
	}
	return got.verdict, err
}
