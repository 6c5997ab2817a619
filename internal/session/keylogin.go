package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// LoginKey verifies a username and an API key of that account and issues a
// token that dies with the key. Reason tells an unknown or disabled account
// ([auth.ReasonUnknown]) from a bad key ([auth.ReasonMismatch]); both take the
// same look-ups. [auth.ReasonAddress] is an address off the allow-list.
//
// Nothing is confirmed afterwards, as a password is: whoever resolves the token
// looks at the key and the account again.
func (s *Service) LoginKey(ctx context.Context, username string, key auth.Secret) (Issued, error) {
	c, err := s.claimant(ctx, username)
	var issued Issued
	if err == nil {
		issued, err = s.loginKey(ctx, c, key)
	}
	s.auditLogin(ctx, c, issued, err)
	return issued, err
}

func (s *Service) loginKey(ctx context.Context, c claimant, key auth.Secret) (Issued, error) {
	var k store.Key
	err := s.attempt(ctx, c, func() (err error) {
		k, err = s.verifyKey(ctx, c, key)
		return err
	})
	if err != nil {
		return Issued{}, err
	}
	_ = s.Store.Keys.TouchKey(ctx, k.Realm, k.ID, s.Now()) // written late; losing one costs nothing
	return s.issue(ctx, grant{account: c.Account, key: k, tenant: store.Tenant{ID: k.Tenant}, scopes: k.Scopes})
}

// verifyKey looks the key up whether or not the account exists.
func (s *Service) verifyKey(ctx context.Context, c claimant, key auth.Secret) (store.Key, error) {
	k, err := s.Store.Keys.KeyByDigest(ctx, s.cfg.Realm, auth.DigestOf(key.Reveal()))
	if err != nil && !auth.IsNotFound(err) {
		return k, err
	}
	if !c.known || c.Disabled {
		return k, auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if err != nil || k.Account != c.ID || !s.live(k) {
		return k, auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, nil)
	}
	return k, admit(ctx, c.Account, k)
}

func (s *Service) live(k store.Key) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || s.Now().Before(k.Expires))
}
