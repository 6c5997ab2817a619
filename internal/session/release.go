package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Release withdraws a token of this dialect, at once and everywhere, as
// [Service.Revoke] does, and says where there was nothing to withdraw:
// [auth.InvalidCredential] with [auth.ReasonExpired] for a genuine token whose
// time is over, for as long as it is remembered, and [auth.ReasonUnknown] for
// every other. Of any number of releases of one token one succeeds.
func (s *Service) Release(ctx context.Context, text string) error {
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{Digest: auth.DigestOf(text)})
	if err != nil {
		return unknown(err)
	}
	if row.Dialect != s.cfg.Dialect || row.Kind != store.AccessToken {
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if !s.Now().Before(authn.End(row)) {
		return auth.Fail(auth.InvalidCredential, auth.ReasonExpired, nil)
	}
	revoked, err := s.revoke(ctx, row, store.SessionMatch{ID: row.ID})
	if err == nil && !revoked {
		err = auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	return err
}
