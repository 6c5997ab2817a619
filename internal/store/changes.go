package store

import "context"

// Changes is the feed that keeps caches honest: every change that withdraws
// something, in the order in which it became visible.
type Changes interface {
	// Latest returns the newest sequence, 0 where there is none.
	Latest(ctx context.Context) (int64, error)
	// Since returns the changes after a sequence in order, at most limit. A
	// sequence that is left out is that of a change that was trimmed: whoever
	// follows takes it for a change of everything, so sequences that are never
	// used cost look-ups and nothing else.
	Since(ctx context.Context, after int64, limit int) ([]Change, error)
	// Wait blocks until there may be a change after that sequence, the
	// store's heartbeat passed (at most a second) or ctx ended. An error
	// means that the feed is broken: the caller trusts its cache no longer
	// than it was told to without one.
	Wait(ctx context.Context, after int64) error
	// Subscribe has fn called with every change of this process, after its
	// commit and before the call that made it returns. fn must not block.
	// The returned function ends the subscription.
	Subscribe(fn func([]Change)) (cancel func())
	// Record adds a change of no row, e.g. [AllChanged], and hands it out
	// like any other.
	Record(ctx context.Context, c Change) error
	// TrimChanges removes at most limit changes older than before.
	TrimChanges(ctx context.Context, before Time, limit int) (int, error)
}

// Change says that what was known about something is no longer true.
type Change struct {
	// Seq grows with every change of the store, whatever its realm.
	Seq   int64
	Realm string
	Kind  ChangeKind
	// ID is the session's id, the account's id, the key's id in decimal or
	// the tenant's id, by Kind; "" for [AllChanged] and
	// [SigningKeysChanged], which are of no realm either.
	ID string
	At Time
}

// ChangeKind says what changed.
type ChangeKind string

// The kinds of change.
const (
	SessionChanged ChangeKind = "session"
	SubjectChanged ChangeKind = "subject"
	KeyChanged     ChangeKind = "key"
	TenantChanged  ChangeKind = "tenant"
	AllChanged     ChangeKind = "all"
	// SigningKeysChanged withdraws no verdict: other keys sign from now on.
	SigningKeysChanged ChangeKind = "signing_keys"
)
