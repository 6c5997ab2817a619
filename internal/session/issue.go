package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// issue makes a token for an account, with the key that obtained it where
// there is one, and returns it once its row is durable.
func (s *Service) issue(ctx context.Context, a store.Account, k store.Key) (Issued, error) {
	row := s.row(a, k)
	text, err := s.mint(ctx, row)
	if err != nil {
		return Issued{}, err
	}
	row.Digest = auth.DigestOf(text.Reveal())
	if err := s.Store.Sessions.InsertSession(ctx, row); err != nil {
		return Issued{}, err
	}
	return Issued{
		Token: text, ID: row.ID, Issued: row.Issued, Expires: row.Expires, TTL: s.cfg.TTL,
		Principal: &auth.Principal{
			Realm: a.Realm, Subject: a.ID, Username: a.Username, Roles: a.Roles,
			KeyID: k.ID, TokenID: row.ID, Dialect: s.cfg.Dialect, Expires: row.Expires,
		},
	}, nil
}

func (s *Service) row(a store.Account, k store.Key) store.Session {
	now := store.Precise(s.Now())
	expires := now.Add(s.cfg.TTL)
	return store.Session{
		ID: token.NewID(), Realm: a.Realm, Dialect: s.cfg.Dialect, Kind: store.AccessToken,
		Subject: a.ID, KeyID: k.ID, Tenant: k.Tenant, Scopes: k.Scopes,
		Issued: now, Updated: now, Expires: expires, Idle: s.cfg.Idle, Keep: expires.Add(s.cfg.Remember),
	}
}

func (s *Service) mint(ctx context.Context, row store.Session) (auth.Secret, error) {
	if s.cfg.JWT {
		return s.Signers.Sign(ctx, row.Realm, token.Claims{
			ID: row.ID, Subject: row.Subject, Issued: row.Issued, Expires: row.Expires,
		})
	}
	return auth.NewSecret(s.cfg.Form(token.Random())), nil
}
