package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// Service logs in and out for one login block.
type Service struct{}

// LoginPassword verifies a username (or email, or account id) and password
// and issues a token.
func (s *Service) LoginPassword(ctx context.Context, username string, password auth.Secret) (Issued, error) {
	panic("being written")
}

// LoginKey verifies a username and an API key of that account and issues a
// token. Reason tells an unknown account ([auth.ReasonUnknown]) from a bad
// key ([auth.ReasonMismatch]); both take the same work.
func (s *Service) LoginKey(ctx context.Context, username string, key auth.Secret) (Issued, error) {
	panic("being written")
}

// Resolve verifies the credential of one of the dialect's own calls. A token
// of another dialect is [auth.InvalidCredential].
func (s *Service) Resolve(ctx context.Context, c bearer.Credential) (*auth.Principal, error) {
	panic("being written")
}

// Revoke withdraws a token of this dialect, at once and everywhere. A token
// that is unknown, expired or of another dialect is left alone without error.
func (s *Service) Revoke(ctx context.Context, token string) error { panic("being written") }

// User returns the caller's account. [auth.NotFound] for a caller that is no
// account.
func (s *Service) User(ctx context.Context, p *auth.Principal) (User, error) {
	panic("being written")
}

// ChangeUser changes the caller's account and returns what is stored then.
// [auth.Conflict] where the email is taken, [auth.Malformed] where it is none.
func (s *Service) ChangeUser(ctx context.Context, p *auth.Principal, c ProfileChange) (User, error) {
	panic("being written")
}
