package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// grant is what a token is issued for. The zero value of a member is nothing,
// or the service's default.
type grant struct {
	account store.Account
	// key obtained the token, which then dies with it. A key of no account is
	// the subject itself.
	key    store.Key
	tenant store.Tenant
	unit   store.Unit
	scopes auth.Scope
	// identity is the login identity behind the account.
	identity store.Identity
	// kind is an access token where it is not said.
	kind   store.SessionKind
	family string
	ttl    time.Duration
	// absolute leaves the idle time out.
	absolute bool
}

// subject returns who the token speaks for.
func (g grant) subject() string {
	if g.account.ID == "" && g.key.ID != 0 {
		return authn.KeySubject(g.key.ID)
	}
	return g.account.ID
}

// issue makes a token and returns it once its row is durable.
func (s *Service) issue(ctx context.Context, g grant) (Issued, error) {
	row, issued, err := s.prepare(ctx, g)
	if err != nil {
		return Issued{}, err
	}
	if err := s.Store.Sessions.InsertSession(ctx, row); err != nil {
		return Issued{}, err
	}
	return issued, nil
}

// prepare makes a token and the row that it becomes good with, for those who
// write several rows at once.
func (s *Service) prepare(ctx context.Context, g grant) (store.Session, Issued, error) {
	row := s.row(g)
	text, err := s.mint(ctx, row, g)
	if err != nil {
		return row, Issued{}, err
	}
	row.Digest = auth.DigestOf(text.Reveal())
	return row, Issued{
		Token: text, ID: row.ID, Issued: row.Issued, Expires: row.Expires, TTL: row.Expires.Sub(row.Issued),
		Principal: &auth.Principal{
			Realm: row.Realm, Subject: row.Subject, Username: g.account.Username, Roles: g.account.Roles,
			Tenant: row.Tenant, TenantName: g.tenant.Name, Unit: row.Unit, Scopes: row.Scopes,
			KeyID: g.key.ID, TokenID: row.ID, Dialect: s.cfg.Dialect, Expires: row.Expires,
		},
	}, nil
}

func (s *Service) row(g grant) store.Session {
	ttl, idle, kind := g.ttl, s.cfg.Idle, g.kind
	if ttl == 0 {
		ttl = s.cfg.TTL
	}
	if g.absolute {
		idle = 0
	}
	if kind == "" {
		kind = store.AccessToken
	}
	now := store.Precise(s.Now())
	if s.wholeSeconds(kind, ttl) {
		now = now.Truncate(time.Second)
	}
	expires := now.Add(ttl)
	return store.Session{
		ID: token.NewID(), Realm: s.cfg.Realm, Dialect: s.cfg.Dialect, Kind: kind,
		Subject: g.subject(), Identity: g.identity.ID, KeyID: g.key.ID,
		Tenant: g.tenant.ID, Unit: g.unit.ID, Scopes: g.scopes, Family: g.family,
		Issued: now, Updated: now, Expires: expires, Idle: idle, Keep: expires.Add(s.cfg.Remember),
	}
}

// wholeSeconds reports whether a token begins and ends with a second. A JWT
// can say no less, and clients count its life as exp less iat.
func (s *Service) wholeSeconds(kind store.SessionKind, ttl time.Duration) bool {
	return s.cfg.WholeSeconds || s.cfg.JWT && kind == store.AccessToken && ttl%time.Second == 0
}

// mint makes the text of a token. Only access tokens are JWTs: all others are
// for us alone to read.
func (s *Service) mint(ctx context.Context, row store.Session, g grant) (auth.Secret, error) {
	if !s.cfg.JWT || row.Kind != store.AccessToken {
		return auth.NewSecret(s.cfg.Form(token.Random())), nil
	}
	claims := token.Claims{
		ID: row.ID, Subject: row.Subject, Issued: row.Issued, Expires: row.Expires, TextDates: s.cfg.TextDates,
		Access: s.cfg.Access,
	}
	if row.Identity != "" {
		claims.Subject = row.Identity
	}
	if s.cfg.Claims != nil {
		claims.Extra = s.cfg.Claims(Bearer{
			Username: g.account.Username, Tenant: g.tenant.Name, Unit: g.unit.Name, KeyID: row.KeyID, Scopes: row.Scopes,
		})
	}
	return s.Signers.Sign(ctx, row.Realm, claims)
}

// seal encrypts a token that will be given back, bound to its row.
func (s *Service) seal(row *store.Session, text auth.Secret) error {
	sealed, err := s.Ring.Seal([]byte(text.Reveal()), sealedIn(*row))
	row.Sealed = sealed
	return err
}

// unseal returns a token that was sealed.
func (s *Service) unseal(row store.Session) (auth.Secret, error) {
	text, err := s.Ring.Open(row.Sealed, sealedIn(row))
	return auth.NewSecret(string(text)), err
}

func sealedIn(row store.Session) []byte { return token.BindSession(row.Realm, row.ID) }
