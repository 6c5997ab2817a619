package store

import "context"

// SealedRow is what is encrypted of a session, and which session it is.
type SealedRow struct {
	Realm, ID string
	Sealed    []byte
}

// SealedSessions is what a store of sessions adds for those who change the key
// ring. It is of all realms.
type SealedSessions interface {
	// WalkSealed calls each with every session that has something sealed, in no
	// order, among them all that are there from the beginning to the end of
	// the call. An error of each ends the walk and is returned.
	WalkSealed(ctx context.Context, each func(SealedRow) error) error
	// ResealSession puts sealed in the place of row.Sealed. It is no change of
	// the session: neither its Version nor what is cached of it is touched, so
	// that nobody who replaces the session at the same time loses against it.
	// [auth.Conflict] where the session has something else sealed by now or is
	// gone.
	ResealSession(ctx context.Context, row SealedRow, sealed []byte) error
}

// SealedKeys is what a store of signing keys and access identifiers adds for
// those who change the key ring.
type SealedKeys interface {
	// ResealSigningKey puts sealed in the place of what the key of that id has
	// sealed, and touches nothing else of it; [auth.Conflict] where that is no
	// longer old.
	ResealSigningKey(ctx context.Context, id string, old, sealed []byte) error
	// CountCodes returns how many authentication codes of all realms are kept
	// as their MAC under a key of the ring.
	CountCodes(ctx context.Context) (int, error)
}
