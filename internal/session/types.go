package session

import (
	"context"
	"net/netip"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Profile is what an account says of itself: dialects see the row by this name.
type Profile = store.Profile

// Setting is a named value of an account, by the name that dialects see.
type Setting = store.Setting

// Issued is a token that was just made. It is durable.
type Issued struct {
	Token auth.Secret
	// ID is the accessor.
	ID              string
	Issued, Expires time.Time
	TTL             time.Duration
	Principal       *auth.Principal
}

// User is an account as its owner may see it.
type User struct {
	ID, Username, Email         string
	Roles                       []string
	Created, Updated, LastLogin time.Time
	Profile                     Profile
	Settings                    []Setting
	Keys                        []Key
}

// Key is an API key as its owner may see it: never the key itself.
type Key struct {
	ID                int64
	Name, Description string
	// Shown is the prefix and the last four characters.
	Shown            string
	Owner            string
	Created, Expires time.Time
	Revoked          bool
	Permissions      auth.Permission
}

// ProfileChange is what an owner changes of an account; a nil member stays.
type ProfileChange struct {
	Email *string
	// Profile is called again, with another row, where the change lost
	// against another one.
	Profile func(*Profile)
	// Settings are found by id; only their values change.
	Settings []Setting
}

type addressKey struct{}

// WithAddress returns ctx with the client's address, for attempts and audit.
func WithAddress(ctx context.Context, a netip.Addr) context.Context {
	return context.WithValue(ctx, addressKey{}, a)
}

// Address returns the client's address; the zero Addr where none was set.
func Address(ctx context.Context) netip.Addr {
	a, _ := ctx.Value(addressKey{}).(netip.Addr)
	return a
}
