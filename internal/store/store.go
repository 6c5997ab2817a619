package store

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Store is one place to keep everything. Its parts may live in different
// engines: sessions in Redis, say, and the rest in PostgreSQL.
type Store struct {
	Accounts    Accounts
	Memberships Memberships
	Tenants     Tenants
	Units       Units
	Identities  Identities
	Identifiers Identifiers
	Keys        Keys
	Sessions    Sessions
	SigningKeys SigningKeys
	Changes     Changes
	// SessionChanges is the feed of a store of sessions that lives apart from
	// the rest; nil where their changes are among Changes.
	SessionChanges Changes
	// Close ends what the store started and waits for it; a write under way
	// is finished first.
	Close func() error
}

// Feeds returns every feed of changes of the store.
func (s Store) Feeds() []Changes {
	if s.SessionChanges == nil {
		return []Changes{s.Changes}
	}
	return []Changes{s.Changes, s.SessionChanges}
}

// Page is a part of a list: at most Limit rows after Offset. Limit 0 means
// the store's bound, [MaxPage].
type Page struct{ Offset, Limit int }

// MaxPage is the most rows that one call returns.
const MaxPage = 1000

// Accounts keeps accounts. An account has three names: its id, its username
// and, where it has one, its email. A name leads to one account of the realm
// whatever kind of name it is.
type Accounts interface {
	// InsertAccount adds an account; [auth.Conflict] where one of its names
	// is taken. ID, Realm and Username must be set.
	InsertAccount(ctx context.Context, a Account) error
	// Account looks up by any name: id, username or email, folded with
	// [NameKey]. A ref that cannot be a name is [auth.NotFound].
	Account(ctx context.Context, realm, ref string) (Account, error)
	// UpdateAccount replaces the row whose ID and Version are a's, adds one
	// to Version and records a change of the subject. [auth.Conflict] where
	// the version is another or a new name is taken.
	UpdateAccount(ctx context.Context, a Account) error
	// TouchAccount sets LastLogin where at is later, without a new version and
	// without a change. It may be written late, and lost in a crash.
	TouchAccount(ctx context.Context, realm, id string, at Time) error
	// DeleteAccount removes the account, its memberships, keys and sessions,
	// and records a change. Idempotent.
	DeleteAccount(ctx context.Context, realm, id string) error
	// ListAccounts lists in the order of username.
	ListAccounts(ctx context.Context, realm string, page Page) ([]Account, error)
}

// Memberships says which accounts belong to which tenants.
type Memberships interface {
	// PutMembership adds or replaces, and records a change of the subject. Who
	// was no member starts without sessions in the tenant.
	PutMembership(ctx context.Context, m Membership) error
	// DeleteMembership removes the membership with the account's sessions in
	// the tenant, so that none is good again where the account comes back, and
	// records a change of the subject. Idempotent.
	DeleteMembership(ctx context.Context, realm, account, tenant string) error
	// MembershipsOf lists those of an account, in the order of tenant id.
	MembershipsOf(ctx context.Context, realm, account string) ([]Membership, error)
}

// Tenants keeps organisations or entities.
type Tenants interface {
	// InsertTenant adds one; [auth.Conflict] where its id or name, folded
	// with [TenantKey], is another's id or name.
	InsertTenant(ctx context.Context, t Tenant) error
	// Tenant looks up by id or name.
	Tenant(ctx context.Context, realm, ref string) (Tenant, error)
	// DeleteTenant removes it with its units, memberships, keys and sessions,
	// and records a change of the tenant. Idempotent.
	DeleteTenant(ctx context.Context, realm, id string) error
	// ListTenants lists in the order of name.
	ListTenants(ctx context.Context, realm string, page Page) ([]Tenant, error)
}

// Units keeps the parts of tenants.
type Units interface {
	// InsertUnit adds one; [auth.Conflict] where the id is taken or the
	// tenant has one of that name, [auth.NotFound] without the tenant.
	InsertUnit(ctx context.Context, u Unit) error
	// Unit looks up by id or by name within the tenant.
	Unit(ctx context.Context, realm, tenant, ref string) (Unit, error)
	// DeleteUnit is idempotent; it removes the sessions of the unit, leaves
	// the memberships whose default unit it was without one, and records a
	// change of the tenant.
	DeleteUnit(ctx context.Context, realm, tenant, id string) error
	// ListUnits lists those of a tenant in the order of name.
	ListUnits(ctx context.Context, realm, tenant string, page Page) ([]Unit, error)
}

// Identities keeps the login identities of accounts. They go with the account.
type Identities interface {
	// InsertIdentity adds one. With unlessAny it returns [auth.Conflict] where
	// the account has one, so that of two callers that make the first one
	// wins. [auth.NotFound] without the account.
	InsertIdentity(ctx context.Context, i Identity, unlessAny bool) error
	// Identity looks up by id.
	Identity(ctx context.Context, realm, id string) (Identity, error)
	// IdentitiesOf lists those of an account, oldest first, then by id.
	IdentitiesOf(ctx context.Context, realm, account string) ([]Identity, error)
	// UpdateIdentity replaces the row whose ID and Version are i's, adds one
	// to Version and, where the account is another, records a change of both
	// subjects. [auth.Conflict] where the version is another, [auth.NotFound]
	// without the row or the account.
	UpdateIdentity(ctx context.Context, i Identity) error
}

// Identifiers keeps the access identifiers of accounts. They go with the
// account.
type Identifiers interface {
	// InsertIdentifier adds one; [auth.Conflict] where its id, name or code is
	// taken in the realm, [auth.NotFound] without the account.
	InsertIdentifier(ctx context.Context, i Identifier) error
	// Identifier looks up by id.
	Identifier(ctx context.Context, realm, id string) (Identifier, error)
	// IdentifierNamed looks up by name, folded with [NameKey]. A name that
	// cannot be one is [auth.NotFound].
	IdentifierNamed(ctx context.Context, realm, name string) (Identifier, error)
	// IdentifierCoded looks up by the first of these MACs that is known.
	IdentifierCoded(ctx context.Context, realm string, codes ...auth.Digest) (Identifier, error)
	// IdentifiersOf lists those of an account, oldest first, then by id.
	IdentifiersOf(ctx context.Context, realm, account string) ([]Identifier, error)
	// DeleteIdentifier is idempotent.
	DeleteIdentifier(ctx context.Context, realm, id string) error
}

// Keys keeps API keys, by the digest of the key.
type Keys interface {
	// InsertKey adds one and returns its id, which the store chooses;
	// [auth.Conflict] where the realm has the digest.
	InsertKey(ctx context.Context, k Key) (int64, error)
	// KeyByDigest and Key return revoked and expired keys too: callers decide.
	KeyByDigest(ctx context.Context, realm string, d auth.Digest) (Key, error)
	Key(ctx context.Context, realm string, id int64) (Key, error)
	// UpdateKey replaces the row whose ID and Version are k's, adds one to
	// Version and records a change of the key.
	UpdateKey(ctx context.Context, k Key) error
	// TouchKey sets LastUsed, as TouchAccount does.
	TouchKey(ctx context.Context, realm string, id int64, at Time) error
	// ListKeys lists by id those that match f.
	ListKeys(ctx context.Context, realm string, f KeyFilter, page Page) ([]Key, error)
}

// KeyFilter narrows a list of keys; empty members do not narrow.
type KeyFilter struct{ Account, Tenant string }

// SigningKeys keeps the keys that sign tokens issued here.
type SigningKeys interface {
	// InsertSigningKey adds one. With unlessActive it returns
	// [auth.Conflict] where a key of the same use that is not retired
	// exists, so that of two nodes that start together one wins.
	InsertSigningKey(ctx context.Context, k SigningKey, unlessActive bool) error
	// SigningKeys lists all, oldest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
	// UpdateSigningKey replaces the row of that ID; [auth.NotFound] without one.
	UpdateSigningKey(ctx context.Context, k SigningKey) error
	// RotateSigningKey adds next, and retires the keys of its use that sign at
	// next.Created, all in one step: each then verifies for its Longest and
	// beyond longer. [auth.Conflict] where the key of that id is not one of
	// them, so that of several rotations at once one wins. It records
	// [SigningKeysChanged].
	RotateSigningKey(ctx context.Context, id string, next SigningKey, beyond time.Duration) error
	// RaiseSigningKey raises Longest of a key to at least life;
	// [auth.NotFound] where there is no such key that signs.
	RaiseSigningKey(ctx context.Context, id string, life time.Duration) error
	// DeleteSigningKey is idempotent.
	DeleteSigningKey(ctx context.Context, id string) error
}
