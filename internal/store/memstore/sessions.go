package memstore

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) InsertSession(ctx context.Context, rows ...store.Session) error {
	if err := check(rows); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		return nil, m.putSessions(rows)
	})
}

func (m *memory) Session(ctx context.Context, realm string, by store.SessionRef) (s store.Session, err error) {
	err = m.locked(ctx, func() error {
		r := m.realm(realm)
		id, err := r.resolve(by)
		if err != nil {
			return err
		}
		row, ok := r.sessions[id]
		if !ok || m.past(row.Keep) {
			return notFound()
		}
		s = copySession(row)
		return nil
	})
	return s, err
}

func (m *memory) TouchSession(ctx context.Context, realm, id string, at store.Time) error {
	return m.locked(ctx, func() error {
		r := m.realm(realm)
		if s, ok := r.sessions[id]; ok {
			s.Updated = later(s.Updated, at)
			r.sessions[id] = s
		}
		return nil
	})
}

// resolve returns the id of the session that by names, which may be absent.
func (r *realm) resolve(by store.SessionRef) (string, error) {
	if by == (store.SessionRef{}) {
		return "", malformed()
	}
	switch by {
	case store.SessionRef{Digest: by.Digest}:
		return r.digests[by.Digest], nil
	case store.SessionRef{ID: by.ID}:
		return by.ID, nil
	case store.SessionRef{Slot: by.Slot}:
		return r.slots[by.Slot], nil
	}
	return "", malformed()
}

func (m *memory) ExchangeSession(ctx context.Context, old store.Session, next ...store.Session) error {
	if err := check(append([]store.Session{old}, next...)); err != nil {
		return err
	}
	return m.write(ctx, func() ([]store.Change, error) {
		r := m.realm(old.Realm)
		current, ok := r.sessions[old.ID]
		if !ok || m.past(current.Keep) {
			return nil, notFound()
		}
		if current.Version != old.Version {
			return nil, conflict()
		}
		r.dropSession(current)
		old.Version++
		old.Updated = later(current.Updated, old.Updated)
		if err := m.putSessions(append([]store.Session{old}, next...)); err != nil {
			r.indexSession(current)
			return nil, err
		}
		return []store.Change{sessionChanged(old)}, nil
	})
}

func (m *memory) RevokeSessions(ctx context.Context, realm string, match store.SessionMatch) (n int, err error) {
	err = m.write(ctx, func() ([]store.Change, error) {
		if match.Zero() {
			return nil, nil
		}
		removed := m.realm(realm).dropSessions(func(s store.Session) bool { return !m.past(s.Keep) && match.Matches(s) })
		n = len(removed)
		return revocation(realm, match, removed), nil
	})
	return n, err
}

// revocation returns the changes of a revocation. One of a subject, key or
// tenant is recorded even where nothing was removed: a session of theirs may be on its
// way into a cache.
func revocation(realm string, m store.SessionMatch, removed []store.Session) []store.Change {
	if m.Subject != "" {
		return subjectChanged(realm, m.Subject)
	}
	if m.KeyID != 0 {
		return []store.Change{keyChanged(realm, m.KeyID)}
	}
	if m.Tenant != "" {
		return []store.Change{{Realm: realm, Kind: store.TenantChanged, ID: m.Tenant}}
	}
	var changes []store.Change
	for _, s := range removed {
		changes = append(changes, sessionChanged(s))
	}
	return changes
}

func (m *memory) SweepSessions(ctx context.Context, limit int) (n int, err error) {
	err = m.locked(ctx, func() error {
		for _, r := range m.realms {
			n += len(r.dropSessions(m.firstPast(limit - n)))
		}
		return nil
	})
	return n, err
}

// firstPast returns a function that selects at most limit rows past their Keep.
func (m *memory) firstPast(limit int) func(store.Session) bool {
	return func(s store.Session) bool {
		if limit <= 0 || !m.past(s.Keep) {
			return false
		}
		limit--
		return true
	}
}

// past reports whether t has come.
func (m *memory) past(t store.Time) bool { return !store.Precise(m.now()).Before(t) }

// putSessions adds all rows or none.
func (m *memory) putSessions(rows []store.Session) error {
	var undo []func()
	for _, row := range rows {
		r := m.realm(row.Realm)
		for _, s := range m.yielding(r, row) {
			r.dropSession(s)
			undo = append(undo, func() { r.indexSession(s) })
		}
		if r.sessionTaken(row) {
			for _, back := range slices.Backward(undo) {
				back()
			}
			return conflict()
		}
		r.indexSession(copySession(row))
		undo = append(undo, func() { r.dropSession(row) })
	}
	return nil
}

// yielding returns the rows that make room for s: those that are absent by
// now, and one in its slot that has expired.
func (m *memory) yielding(r *realm, s store.Session) []store.Session {
	var rows []store.Session
	for _, id := range []string{s.ID, r.digests[s.Digest], r.slots[s.Slot]} {
		row, ok := r.sessions[id]
		if ok && (m.past(row.Keep) || s.Slot != "" && row.Slot == s.Slot && m.past(row.Expires)) {
			rows = append(rows, row)
		}
	}
	return rows
}

// sessionTaken reports whether the id, digest or slot of s is another row's.
func (r *realm) sessionTaken(s store.Session) bool {
	_, id := r.sessions[s.ID]
	_, digest := r.digests[s.Digest]
	_, slot := r.slots[s.Slot]
	return id || digest || slot
}

func (r *realm) indexSession(s store.Session) {
	r.sessions[s.ID] = s
	r.digests[s.Digest] = s.ID
	if s.Slot != "" {
		r.slots[s.Slot] = s.ID
	}
}

func (r *realm) dropSession(s store.Session) {
	delete(r.sessions, s.ID)
	delete(r.digests, s.Digest)
	delete(r.slots, s.Slot)
}

// dropSessions removes the sessions that match, in the order of id.
func (r *realm) dropSessions(match func(store.Session) bool) []store.Session {
	var removed []store.Session
	for _, s := range r.sessions {
		if match(s) {
			r.dropSession(s)
			removed = append(removed, s)
		}
	}
	slices.SortFunc(removed, byID)
	return removed
}

func check(rows []store.Session) error {
	for _, s := range rows {
		if err := s.Check(); err != nil {
			return err
		}
	}
	return nil
}

func sessionChanged(s store.Session) store.Change {
	return store.Change{Realm: s.Realm, Kind: store.SessionChanged, ID: s.ID}
}

// copySession returns s as it is kept: sharing nothing, with precise times.
func copySession(s store.Session) store.Session {
	s.Sealed, s.Scopes, s.Flags = slices.Clone(s.Sealed), slices.Clone(s.Scopes), slices.Clone(s.Flags)
	s.Issued, s.Updated, s.Expires = store.Precise(s.Issued), store.Precise(s.Updated), store.Precise(s.Expires)
	s.Retired, s.Keep = store.Precise(s.Retired), store.Precise(s.Keep)
	return s
}
