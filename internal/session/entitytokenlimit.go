package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// limitPlace gives a caller whose user token was obtained with an API key that
// may do less than its account, or has scopes, a place apart: see
// [Place.slot]. A tenant is no such limit, since an entity token has one
// itself.
func (s *Service) limitPlace(ctx context.Context, p *Place) error {
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{ID: p.by.TokenID})
	if err != nil {
		return unknown(err)
	}
	p.scopes = row.Scopes
	if row.KeyID == 0 {
		return nil
	}
	k, err := s.Store.Keys.Key(ctx, s.cfg.Realm, row.KeyID)
	if err != nil {
		return unknown(err)
	}
	if len(p.scopes) > 0 || k.Permissions != auth.AllPermissions || len(k.Addresses) > 0 {
		p.key = k.ID
	}
	return nil
}
