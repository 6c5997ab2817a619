package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Hasher is what logins need of a [password.Hasher]: tests count its work and
// hold it.
type Hasher interface {
	// Verify compares, Decoy only does the work of it. Both may wait for a
	// turn and return [auth.Unavailable] when that takes too long.
	Verify(ctx context.Context, phc, pw auth.Secret) (ok, outdated bool, err error)
	Decoy(ctx context.Context, pw auth.Secret) error
	Make(ctx context.Context, pw auth.Secret) (auth.Secret, error)
	// Outdated costs nothing.
	Outdated(phc auth.Secret) bool
}

var _ Hasher = (*password.Hasher)(nil)

// Deps is what every service of a process shares.
type Deps struct {
	Store    store.Store
	Resolver *authn.Resolver
	Hasher   Hasher
	Attempts *throttle.Attempts
	Signers  *token.Signers
	// Ring seals the tokens that are given back, and makes the MACs of
	// authentication codes.
	Ring *token.Ring
	Now  func() time.Time
	// Audit is told of every login and revocation; it must not block.
	Audit func(context.Context, auth.Event)
}

// Config is one login block.
type Config struct {
	Realm, Dialect string
	TTL, Idle      time.Duration
	// Remember is how long an expired token is told apart from an unknown one.
	Remember time.Duration
	// JWT issues JWTs; else Form says how an opaque token looks, nil for
	// [token.Opaque].
	JWT  bool
	Form func(random [16]byte) string
	// Attempts limits failed logins of one account; the zero value is the
	// default, 5 in 5 minutes.
	Attempts throttle.Limit
	// Identity binds each token to a login identity of its account, which is
	// then the sub of a JWT.
	Identity bool
	// WholeSeconds has its tokens begin and end with a second, as all dates of
	// its wire do.
	WholeSeconds bool
	// Claims returns what a JWT says beside the registered claims; nil is
	// nothing. TextDates has iat and exp written as text.
	Claims    func(Bearer) map[string]any
	TextDates bool
	// Access has its JWTs be for others to verify too.
	Access *token.Access
	// MaxTTL is the longest life that a caller may ask for; 0 is TTL.
	MaxTTL time.Duration
	// LoginTokenTTL is the life of a token that is traded once for another and
	// KeyTTL that of a token for a key alone; 0 is TTL.
	LoginTokenTTL, KeyTTL time.Duration
	// RefreshTTL is for how long tokens are refreshed from one another; 0 is
	// not at all.
	RefreshTTL time.Duration
	// Overlap is how long a token that was refreshed is good beside the new
	// one; 0 is not at all.
	Overlap time.Duration
}

// Bearer is who a token speaks for, as claims tell it: names as typed, "" for
// what there is none of. KeyID is the API key that obtained it, 0 for none.
type Bearer struct {
	Username, Tenant, Unit string
	KeyID                  int64
	Scopes                 auth.Scope
}

// DefaultRemember is how long an expired token is told apart from an unknown
// one: long enough for a client that comes back to hear that it has to log in
// again.
const DefaultRemember = 10 * time.Minute

// adminRole is the role whose owner may see and change the login tokens of all
// and the entity tokens of all members of a tenant: in a membership, of that
// tenant.
const adminRole = "admin"

// The limits of failed logins.
var (
	DefaultAttempts = throttle.Limit{Events: 5, Window: 5 * time.Minute}
	addressAttempts = throttle.Limit{Events: 100, Window: 5 * time.Minute}
)

// Service logs in and out for one login block.
type Service struct {
	*Deps
	cfg Config
}

// New returns the service of one login block. d may be filled in later, but
// before the first call.
func New(d *Deps, c Config) *Service {
	if c.Attempts == (throttle.Limit{}) {
		c.Attempts = DefaultAttempts
	}
	if c.Form == nil {
		c.Form = token.Opaque
	}
	return &Service{Deps: d, cfg: c}
}

// Resolve verifies the credential of one of the dialect's own calls. A token
// of another dialect is [auth.InvalidCredential]: a dialect's own calls accept
// only its own.
func (s *Service) Resolve(ctx context.Context, c bearer.Credential) (*auth.Principal, error) {
	v, err := s.Resolver.Resolve(ctx, s.cfg.Realm, c)
	if err != nil {
		return nil, err
	}
	if v.Principal.TokenID != "" && v.Principal.Dialect != s.cfg.Dialect {
		return nil, auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if v.Restricted() && !v.Admits(Address(ctx)) {
		return nil, auth.Fail(auth.InvalidCredential, auth.ReasonAddress, nil)
	}
	return v.Principal, nil
}

// Revoke withdraws a token of this dialect, at once and everywhere. A token
// that is unknown, expired or of another dialect is left alone without error.
func (s *Service) Revoke(ctx context.Context, text string) error {
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{Digest: auth.DigestOf(text)})
	if auth.IsNotFound(err) || (err == nil && (row.Dialect != s.cfg.Dialect || s.ended(row))) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.revoke(ctx, row, store.SessionMatch{ID: row.ID})
	return err
}

// revoke removes what m matches and tells the log of row. It reports false
// where another call was faster, which has told the log.
func (s *Service) revoke(ctx context.Context, row store.Session, m store.SessionMatch) (revoked bool, err error) {
	n, err := s.Store.Sessions.RevokeSessions(ctx, row.Realm, m)
	if err != nil || n == 0 {
		return false, err
	}
	s.audit(ctx, auth.Event{Kind: auth.RevocationEvent, OK: true, Subject: row.Subject, TokenID: row.ID, KeyID: row.KeyID})
	return true, nil
}

// ended reports whether the time of a row is over, its idle time left out.
func (s *Service) ended(row store.Session) bool { return !s.Now().Before(row.Expires) }

func (s *Service) audit(ctx context.Context, e auth.Event) {
	e.Realm, e.Dialect, e.Address = s.cfg.Realm, s.cfg.Dialect, Address(ctx)
	s.Audit(ctx, e)
}
