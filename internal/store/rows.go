package store

import (
	"net/netip"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Time is an instant of UTC with the precision of a millisecond, which every
// store keeps exactly. The zero value means "none" or "never", as each row says.
type Time = time.Time

// Precise cuts t to what a store keeps: UTC, whole milliseconds.
func Precise(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// Account is one who can log in.
type Account struct {
	// ID is a UUID in lower case, Realm the protection space.
	ID, Realm string
	// Username and Email are kept as typed and compared with [NameKey].
	Username, Email string
	// Password is a PHC string; empty means that no password logs in.
	Password auth.Secret
	Roles    []string
	Disabled bool
	Profile  Profile
	Settings []Setting
	// Addresses is the allow-list of client addresses; empty allows all.
	Addresses                   []netip.Prefix
	Created, Updated, LastLogin Time
	Version                     int64
}

// Profile is what an account says of itself. The names are those of the
// management dialect's user object.
type Profile struct {
	PhoneNumber         string `json:"phone_number,omitempty"`
	Title               string `json:"title,omitempty"`
	FirstName           string `json:"first_name,omitempty"`
	LastName            string `json:"last_name,omitempty"`
	Department          string `json:"department,omitempty"`
	BirthDate           *Time  `json:"birth_date,omitempty"`
	LastDismissMessages *Time  `json:"last_dismiss_messages,omitempty"`
	Rank                int    `json:"rank,omitempty"`
	Image               []byte `json:"image,omitempty"`
	Address             string `json:"address,omitempty"`
	PostalCode          string `json:"postal_code,omitempty"`
	Region              string `json:"region,omitempty"`
	City                string `json:"city,omitempty"`
	Country             string `json:"country,omitempty"`
	CountryCode         string `json:"country_code,omitempty"`
	Mobile              string `json:"mobile,omitempty"`
	Notes               string `json:"notes,omitempty"`
	CustomerID          int    `json:"customer_id,omitempty"`
}

// Setting is a named value of an account.
type Setting struct {
	ID          int64  `json:"id"`
	Category    string `json:"category,omitempty"`
	Group       string `json:"group,omitempty"`
	Name        string `json:"name"`
	Value       string `json:"value,omitempty"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
	ReadOnly    bool   `json:"read_only,omitempty"`
}

// Tenant is an organisation or entity.
type Tenant struct {
	ID, Realm string
	// Name is kept as typed and compared with [TenantKey].
	Name    string
	Created Time
}

// Unit is a part of a tenant. Its ID is 32 upper-case hex digits.
type Unit struct {
	ID, Realm, Tenant, Name string
	Created                 Time
}

// Membership is an account in a tenant, with a default unit ("" for none) and
// the roles that it has there beside those of the account.
type Membership struct {
	Realm, Account, Tenant, Unit string
	Roles                        []string
}

// Key is an API key. It belongs to an account, to a tenant, to both, or, with
// Gateway, to the gateway as a whole.
type Key struct {
	ID     int64
	Realm  string
	Digest auth.Digest
	// Prefix and LastFour are what may be shown of the key.
	Prefix, LastFour string
	Name             string
	Description      string
	Account, Tenant  string
	Gateway          bool
	Scopes           auth.Scope
	Permissions      auth.Permission
	// ClientSecret is the digest of an optional second secret, zero for none.
	ClientSecret auth.Digest
	// Expires and Revoked are zero for a key that lives.
	Created, Expires, Revoked, LastUsed Time
	Addresses                           []netip.Prefix
	Version                             int64
}

// SessionKind says what a token is for.
type SessionKind string

// The kinds of session.
const (
	AccessToken  SessionKind = "access"
	RefreshToken SessionKind = "refresh"
	OneTimeToken SessionKind = "one_time"
	// EntityToken is one that stands in for a user token beside an API key,
	// and for nothing else.
	EntityToken SessionKind = "entity"
)

// Session is the record of an issued token.
type Session struct {
	// ID is the accessor: a UUID that names the token without being it. It
	// is the jti of a JWT.
	ID, Realm string
	Digest    auth.Digest
	// Sealed is the token itself, encrypted, for the dialects that give it
	// back; nil for all others.
	Sealed []byte
	// Dialect issued it.
	Dialect string
	Kind    SessionKind
	// Subject is the account's id, "key:" and an id for a key of no account.
	Subject string
	// Identity is the login identity behind Subject and Associate the account
	// that a redeem moves it to; "" where the dialect knows none.
	Identity, Associate string
	// KeyID is the API key that obtained the token, 0 for none.
	KeyID        int64
	Tenant, Unit string
	Scopes       auth.Scope
	Flags        []string
	// Slot is a place that holds at most one live token, e.g. one per user
	// and entity; "" for none.
	Slot string
	// Family joins the tokens that were refreshed from one another.
	Family                   string
	Issued, Updated, Expires Time
	// Idle is how long the token lives without use, 0 for always.
	Idle time.Duration
	// Retired is when a token that is used once was used; zero before.
	Retired Time
	// Keep is when the row may go; at least Expires.
	Keep    Time
	Version int64
}

// Identity is a login identity: a way in which an account is known to log in.
// It can be moved to another account, which then logs in by it.
type Identity struct {
	// ID is a UUID in lower case.
	ID, Realm string
	// Account is the id of the account that it leads to.
	Account string
	// Type is what kind of login it stands for, e.g. "password".
	Type             string
	Created, Updated Time
	Version          int64
}

// Identifier is an access identifier: another way than a password to log an
// account in. It is an authentication code, or a name with a pass code.
type Identifier struct {
	// ID is a UUID in lower case.
	ID, Realm string
	// Account is the id of the account that it logs in.
	Account string
	// Name is kept as typed and compared with [NameKey]; "" for a code.
	Name string
	// PassCode is the PHC string that belongs to Name; empty for a code.
	PassCode auth.Secret
	// Code is the MAC of an authentication code under the key ring; zero for
	// a name with a pass code.
	Code    auth.Digest
	Created Time
}

// SigningKey is a key that signs tokens issued here.
type SigningKey struct {
	// ID is the kid of the JWTs it signs.
	ID        string
	Algorithm string
	// Use is what it signs, e.g. "token" or "assertion".
	Use string
	// Sealed is the private or secret key, encrypted under the key ring.
	Sealed []byte
	// Retired is when it stopped signing; it verifies until Expires, which is
	// zero while it signs.
	Created, Retired, Expires Time
	// Longest is the longest life of what it signed, noted before it is signed:
	// from it follows how long the key verifies once it is retired.
	Longest time.Duration
}
