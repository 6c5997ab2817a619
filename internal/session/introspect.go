package session

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// TokenKind is what a token is for.
type TokenKind = store.SessionKind

// The kinds of token. Only one for access is there to call with by itself: one
// is good for a refresh, one for one login, and one counts beside an API key.
const (
	KindAccess  = store.AccessToken
	KindRefresh = store.RefreshToken
	KindOneTime = store.OneTimeToken
	KindEntity  = store.EntityToken
)

// Introspection is what a client may know of a token (RFC 7662 section 2.2).
// The zero value is a token that is not good, or not the client's business.
type Introspection struct {
	Active bool
	Kind   TokenKind
	Scopes auth.Scope
	// ClientID is the id of the key that obtained the token, "" for none.
	ClientID          string
	Username, Subject string
	// ID is the accessor, which is the jti of a JWT.
	ID              string
	Issued, Expires time.Time
}

// Introspect says what a token is, whichever dialect issued it and whatever it
// is for. Only tokens of the client's own subject are told of. It asks the
// store every time.
func (s *Service) Introspect(ctx context.Context, c Client, text auth.Secret) (Introspection, error) {
	row, err := s.owned(ctx, c, text)
	if auth.IsNotFound(err) {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, err
	}
	expires, err := s.goodUntil(ctx, c, row)
	if err != nil || !s.Now().Before(expires) {
		return Introspection{}, err
	}
	i := Introspection{
		Active: true, Kind: row.Kind, Scopes: row.Scopes,
		Username: c.username(), Subject: row.Subject, ID: row.ID, Issued: row.Issued, Expires: expires,
	}
	if row.KeyID != 0 {
		i.ClientID = strconv.FormatInt(row.KeyID, 10)
	}
	return i, nil
}

// RevokeToken withdraws a token of the client's subject, whichever dialect
// issued it, at once and everywhere; a refresh token takes its whole family
// along (RFC 7009 section 2.1). Any other text is left alone without error.
func (s *Service) RevokeToken(ctx context.Context, c Client, text auth.Secret) error {
	row, err := s.owned(ctx, c, text)
	if auth.IsNotFound(err) || (err == nil && s.ended(row)) {
		return nil
	}
	if err != nil {
		return err
	}
	if row.Kind == store.RefreshToken {
		return s.revokeFamily(ctx, row)
	}
	_, err = s.revoke(ctx, row, store.SessionMatch{ID: row.ID})
	return err
}

// owned returns the row of a token of the client's subject; [auth.NotFound]
// for every other text. A GUID is found in either case: guards take it so.
func (s *Service) owned(ctx context.Context, c Client, text auth.Secret) (store.Session, error) {
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{Digest: auth.DigestOf(text.Reveal())})
	if guid, ok := token.ParseGUID(text.Reveal()); ok && guid != text.Reveal() && auth.IsNotFound(err) {
		row, err = s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{Digest: auth.DigestOf(guid)})
	}
	if err == nil && row.Subject != c.subject() {
		return store.Session{}, auth.Fail(auth.NotFound, "", nil)
	}
	return row, err
}

// goodUntil returns when a token of the client's subject ends, its key and its
// idle time considered; the zero time for one that is not good at all. The
// account itself was looked at when the client was verified.
func (s *Service) goodUntil(ctx context.Context, c Client, row store.Session) (time.Time, error) {
	if !row.Retired.IsZero() {
		return time.Time{}, nil
	}
	if row.Kind == store.RefreshToken && row.KeyID == c.key.ID && !slices.Contains(row.Flags, c.standing()) {
		return time.Time{}, nil
	}
	if in, err := s.stillInTenant(ctx, c, row.Tenant); !in {
		return time.Time{}, err
	}
	end := authn.End(row)
	if row.KeyID == 0 {
		return end, nil
	}
	k, err := s.Store.Keys.Key(ctx, row.Realm, row.KeyID)
	if auth.IsNotFound(err) || (err == nil && !s.live(k)) {
		return time.Time{}, nil
	}
	if err == nil && !k.Expires.IsZero() && k.Expires.Before(end) {
		end = k.Expires
	}
	return end, err
}

// stillInTenant reports whether the client's account is of a tenant that a
// token is bound to. A tenant takes the tokens of its own keys along.
func (s *Service) stillInTenant(ctx context.Context, c Client, tenant string) (bool, error) {
	if tenant == "" || c.key.Account == "" {
		return true, nil
	}
	_, ok, err := s.membership(ctx, c.key.Account, tenant)
	return ok, err
}

// endFamily revokes a family even where the caller has left: whoever replays a
// token does not decide whether that has consequences.
func (s *Service) endFamily(ctx context.Context, row store.Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	return s.revokeFamily(ctx, row)
}

func (s *Service) revokeFamily(ctx context.Context, row store.Session) error {
	_, err := s.revoke(ctx, row, store.SessionMatch{Family: row.Family})
	return err
}
