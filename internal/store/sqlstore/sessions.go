package sqlstore

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// A row that is in the way is no error: where an error ends the
	// transaction, the others in it would end too.
	insertSession = `INSERT INTO sessions (` + sessionColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	selectSession = `SELECT ` + sessionColumns + ` FROM sessions WHERE realm = ? AND keep > ? AND `

	sessionByDigest = selectSession + `digest = ?`
	sessionByID     = selectSession + `id = ?`
	sessionBySlot   = selectSession + `slot <> '' AND slot = ?`

	// What stands in the way of a row, although it no longer counts.
	clearDigest = `DELETE FROM sessions WHERE realm = ? AND digest = ? AND keep <= ?`
	clearID     = `DELETE FROM sessions WHERE realm = ? AND id = ? AND keep <= ?`
	clearSlot   = `DELETE FROM sessions WHERE realm = ? AND slot <> '' AND slot = ? AND expires <= ? AND id <> ?`

	// A stamp that came since the row was read stays.
	updateSession = `UPDATE sessions SET (` + sessionColumns + `)
		= (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CASE WHEN updated > ? THEN updated ELSE ? END, ?, ?, ?, ?, ?)
		WHERE realm = ? AND id = ? AND version = ? AND keep > ?`
	stampSession stampQuery = `UPDATE sessions SET updated = ? WHERE realm = ? AND id = ? AND updated < ?`

	countSession = `SELECT COUNT(*) FROM sessions WHERE realm = ? AND id = ? AND keep > ?`
)

// InsertSession implements [store.Sessions].
func (d *database) InsertSession(ctx context.Context, rows ...store.Session) (err error) {
	encoded, err := encodeSessions(rows)
	if err != nil {
		return err
	}
	if len(encoded) == 1 {
		defer d.observed("insert_session", d.now(), &err)
		ctx, spent := store.Spend(ctx)
		defer spent()
		err = d.engine.insert(ctx, encoded[0])
		return d.flavour.failure(err)
	}
	return d.write(ctx, "insert_session", func(t *tx) error { return t.insertSessions(encoded) })
}

// insertSessions adds all or none. One row is one statement, which needs no
// savepoint: the common case.
func (t *tx) insertSessions(rows []sessionRow) error {
	if len(rows) == 1 {
		return t.insertSession(rows[0])
	}
	return t.whole(func() error {
		for _, r := range rows {
			if err := t.insertSession(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertSession adds a row. Only when something is in its way is looked
// whether that still counts.
func (t *tx) insertSession(r sessionRow) error {
	n, err := t.exec(insertSession, r.values...)
	if err != nil || n > 0 {
		return err
	}
	return t.whole(func() error {
		if err := t.clearWay(r, ""); err != nil {
			return err
		}
		n, err := t.exec(insertSession, r.values...)
		if err == nil && n == 0 {
			return conflict()
		}
		return err
	})
}

// clearWay removes rows that hold r's id or digest beyond their Keep, or its
// slot beyond their Expires. In the slot, self may stay.
func (t *tx) clearWay(r sessionRow, self string) error {
	now := millis(t.now)
	if _, err := t.exec(clearDigest, r.realm, r.digest, now); err != nil {
		return err
	}
	if _, err := t.exec(clearID, r.realm, r.id, now); err != nil {
		return err
	}
	_, err := t.exec(clearSlot, r.realm, r.slot, now, self)
	return err
}

// Session implements [store.Sessions].
func (d *database) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	query, value, ok := sessionBy(by)
	if !ok {
		return store.Session{}, malformed("a session is named by one of digest, id and slot")
	}
	var s store.Session
	err := d.touched.steady(func() (err error) {
		s, err = one(ctx, d, "session", d.readSession, query, realm, millis(store.Precise(d.now())), value)
		return err
	})
	return s, err
}

// TouchSession implements [store.Sessions], as TouchAccount does.
func (d *database) TouchSession(ctx context.Context, realm, id string, at store.Time) error {
	return d.touch(ctx, row{stampSession, realm, id}, at)
}

// sessionBy returns the query for by and what it takes; ok is false unless
// exactly one member is set.
func sessionBy(by store.SessionRef) (query string, value any, ok bool) {
	switch by {
	case store.SessionRef{}:
		return "", nil, false
	case store.SessionRef{Digest: by.Digest}:
		return sessionByDigest, by.Digest[:], true
	case store.SessionRef{ID: by.ID}:
		return sessionByID, by.ID, true
	case store.SessionRef{Slot: by.Slot}:
		return sessionBySlot, by.Slot, true
	}
	return "", nil, false
}

// ExchangeSession implements [store.Sessions].
func (d *database) ExchangeSession(ctx context.Context, old store.Session, next ...store.Session) error {
	version := old.Version
	old.Version++
	rows, err := encodeSessions(append([]store.Session{old}, next...))
	if err != nil {
		return err
	}
	return d.writeWhole(ctx, "exchange_session", func(t *tx) error {
		if err := t.replaceSession(rows[0], version); err != nil {
			return err
		}
		if err := t.insertSessions(rows[1:]); err != nil {
			return err
		}
		return t.record(old.Realm, store.SessionChanged, old.ID)
	})
}

// replaceSession puts r in the place of its row of that version. As with an
// insert, what is in its way is looked at when there is something.
func (t *tx) replaceSession(r sessionRow, version int64) error {
	now := millis(t.now)
	values := slices.Insert(slices.Clone(r.values), updatedAt, r.values[updatedAt])
	values = append(values, r.realm, r.id, version, now)
	update := func() error {
		n, err := t.exec(updateSession, values...)
		if err == nil && n == 0 {
			return t.lost(countSession, r.realm, r.id, now)
		}
		return err
	}
	err := t.attempt(update)
	if err == nil || t.flavour.classify(err) != faultConflict {
		return err
	}
	if err := t.clearWay(r, r.id); err != nil {
		return err
	}
	return update()
}

// SweepSessions implements [store.Sessions], by keep, the oldest first: many sweeps meet no row twice.
func (d *database) SweepSessions(ctx context.Context, limit int) (int, error) {
	if err := step(limit); err != nil {
		return 0, err
	}
	return result(ctx, d, "sweep_sessions", func(t *tx) (int, error) {
		n, err := t.exec(d.flavour.sweep, millis(t.now), limit)
		return int(n), err
	})
}

// sessionRow is a session on its way into the table.
type sessionRow struct {
	realm, id, slot string
	digest          []byte
	values          []any // in the order of sessionColumns
}

func encodeSessions(rows []store.Session) ([]sessionRow, error) {
	encoded := make([]sessionRow, len(rows))
	for i, s := range rows {
		if err := s.Check(); err != nil {
			return nil, err
		}
		encoded[i] = encodeSession(s)
	}
	return encoded, nil
}

const sessionColumns = `realm, id, digest, sealed, dialect, kind, subject, identity, associate, key_id, tenant, unit,
	scopes, flags, slot, family, issued, updated, expires, idle, retired, keep, version`

// updatedAt is where updated stands among sessionColumns.
const updatedAt = 17

func encodeSession(s store.Session) sessionRow {
	digest := s.Digest[:]
	return sessionRow{
		realm: s.Realm, id: s.ID, slot: s.Slot, digest: digest,
		values: []any{
			s.Realm, s.ID, digest, blob(s.Sealed), s.Dialect, string(s.Kind), s.Subject, s.Identity, s.Associate,
			s.KeyID, s.Tenant, s.Unit, listText(s.Scopes), listText(s.Flags), s.Slot, s.Family, millis(s.Issued),
			millis(s.Updated), millis(s.Expires), s.Idle.Milliseconds(), millis(s.Retired), millis(s.Keep), s.Version,
		},
	}
}

// readSession reads a row, with a stamp that is not written yet.
func (d *database) readSession(r scanner) (s store.Session, err error) {
	s, err = scanSession(r)
	s.Updated = d.touched.latest(row{stampSession, s.Realm, s.ID}, s.Updated)
	return s, err
}

// scanSession reads a row as it is written.
func scanSession(r scanner) (s store.Session, err error) {
	err = r.Scan(&s.Realm, &s.ID, (*digestColumn)(&s.Digest), &s.Sealed, &s.Dialect, (*string)(&s.Kind), &s.Subject,
		&s.Identity, &s.Associate, &s.KeyID, &s.Tenant, &s.Unit, (*stringsColumn)(&s.Scopes), (*stringsColumn)(&s.Flags),
		&s.Slot, &s.Family, (*timeColumn)(&s.Issued), (*timeColumn)(&s.Updated), (*timeColumn)(&s.Expires),
		(*durationColumn)(&s.Idle), (*timeColumn)(&s.Retired), (*timeColumn)(&s.Keep), &s.Version)
	return s, err
}
