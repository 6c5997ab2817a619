package store

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Sessions keeps the records of issued tokens.
//
// A row is there until its Keep passes: at the instant Keep, by the store's
// clock, it is absent. Between Expires and Keep it is found, so that a dialect
// can tell an expired token from an unknown one; callers compare Expires
// themselves.
type Sessions interface {
	// InsertSession adds all or none. [auth.Conflict] where an id or digest
	// is taken, or a Slot is held by a row whose Expires has not passed (one
	// whose Expires has passed is replaced). A burst of callers shares one
	// commit; each returns once its own rows are durable.
	InsertSession(ctx context.Context, rows ...Session) error
	// Session returns the row that by names.
	Session(ctx context.Context, realm string, by SessionRef) (Session, error)
	// ExchangeSession replaces the row whose ID and Version are old's by old
	// with one more Version, and adds next, in one transaction; it records a
	// change of old's session. [auth.Conflict] where the version is another,
	// [auth.NotFound] where the row is gone: of any number of exchanges of one
	// row one wins. A rotation, a redeem and a patch are all this. Updated
	// stays where a touch made it later than old says.
	ExchangeSession(ctx context.Context, old Session, next ...Session) error
	// TouchSession sets Updated where at is later, without a new version and
	// without a change. It may be written late, and lost in a crash; this
	// process reads it at once, but a query may select by what is written.
	TouchSession(ctx context.Context, realm, id string, at Time) error
	// RevokeSessions removes what m matches and returns how many; it records
	// one change for a subject, else for a key, else for a tenant, else one for
	// each session. Idempotent.
	RevokeSessions(ctx context.Context, realm string, m SessionMatch) (int, error)
	// FindSessions returns the page of rows that q selects, and how many
	// there are in all. Filtering, order and paging happen in the store.
	FindSessions(ctx context.Context, realm string, q SessionQuery) (rows []Session, total int, err error)
	// SweepSessions removes at most limit rows whose Keep has passed and
	// returns how many; fewer than limit means that none is left.
	SweepSessions(ctx context.Context, limit int) (int, error)
}

// SessionRef names one session: by exactly one of its members.
type SessionRef struct {
	Digest auth.Digest
	ID     string
	Slot   string
}

// SessionMatch selects sessions to revoke: all members that are set must
// match. The zero value matches nothing.
type SessionMatch struct {
	ID      string
	Digest  auth.Digest
	Subject string
	Family  string
	KeyID   int64
	Tenant  string
	// Unit narrows Tenant and Dialect all others: they match nothing alone.
	Unit    string
	Dialect string
}

// Zero reports whether m selects nothing.
func (m SessionMatch) Zero() bool {
	m.Unit, m.Dialect = "", ""
	return m == SessionMatch{}
}

// SessionQuery selects, orders and pages sessions.
type SessionQuery struct {
	Where Filter
	Order []Order
	Page  Page
}

// Filter is a tree: a leaf compares Field by Op with Values, an inner node
// joins Any (or) or All (and). The zero Filter selects everything.
type Filter struct {
	All, Any []Filter
	Field    SessionField
	Op       Op
	// Values are strings, [Time] or [auth.Digest], by the field; In and NotIn
	// take any number, the others one. A nil value is null.
	Values []any
}

// Order sorts by a field.
type Order struct {
	Field      SessionField
	Descending bool
}

// SessionField is a member of [Session] that can be selected by.
type SessionField string

// The fields that can be selected by. Digest can only be compared for equality.
const (
	FieldID        SessionField = "id"
	FieldDigest    SessionField = "digest"
	FieldDialect   SessionField = "dialect"
	FieldKind      SessionField = "kind"
	FieldSubject   SessionField = "subject"
	FieldIdentity  SessionField = "identity"
	FieldAssociate SessionField = "associate"
	FieldTenant    SessionField = "tenant"
	FieldFamily    SessionField = "family"
	FieldIssued    SessionField = "issued"
	FieldUpdated   SessionField = "updated"
	FieldExpires   SessionField = "expires"
)

// Op compares.
type Op string

// The comparisons.
const (
	Equal          Op = "="
	NotEqual       Op = "!="
	In             Op = "in"
	NotIn          Op = "not in"
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
)
