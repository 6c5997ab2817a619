package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// SessionSource is the sessions of a store at one instant.
type SessionSource interface {
	Sessions(ctx context.Context, each func(store.Session) error) error
}

// SessionTarget is a place for sessions of their own.
type SessionTarget interface {
	store.Sessions
	// Walk calls each once with every session of every realm.
	Walk(ctx context.Context, each func(store.Session) error) error
}

// MovedSessions is what a move wrote.
type MovedSessions struct{ Rows, Written, Removed int64 }

// Of a move: how many rows one call adds, and how many calls are under way.
const (
	moveRows  = 64
	moveCalls = 16
)

// sessionName names a session of a store.
type sessionName struct{ realm, id string }

// movedRow is what is remembered of a session of the source.
type movedRow struct {
	sum     [sha256.Size]byte
	keep    time.Time
	present bool // on the target, just so
}

// MoveSessions makes the target hold the sessions of a source, no others, and
// fails unless it does at the end. What is past its time is left out. Only what
// differs is written: interrupted, it goes on where it is run again. It keeps the
// names of all sessions in memory, some 200 bytes for each. Where it is the first
// from this source a target that holds any session is refused: they are another
// store's. step is told how many are looked at.
func MoveSessions(ctx context.Context, from SessionSource, to SessionTarget, first bool, now func() time.Time, step func(done int64)) (MovedSessions, error) {
	if first {
		if err := to.Walk(ctx, func(store.Session) error { return errForeign }); err != nil {
			return MovedSessions{}, err
		}
	}
	m := &moving{to: to, now: now, step: step, rows: map[sessionName]movedRow{}}
	err := from.Sessions(ctx, func(s store.Session) error {
		if now().Before(s.Keep) {
			m.rows[sessionName{s.Realm, s.ID}] = movedRow{sum: sessionSum(s), keep: s.Keep}
		}
		return nil
	})
	if err != nil {
		return m.done, err
	}
	m.done.Rows = int64(len(m.rows))
	if err := m.remove(ctx); err != nil {
		return m.done, err
	}
	if err := m.write(ctx, from); err != nil {
		return m.done, err
	}
	return m.done, m.verify(ctx)
}

var errForeign = auth.Fail(auth.Conflict, "", errors.New("the place for sessions holds some that did not come from this source: name an empty one"))

// moving is a move under way.
type moving struct {
	to   SessionTarget
	now  func() time.Time
	step func(int64)
	rows map[sessionName]movedRow
	done MovedSessions
	seen int64
}

// remove withdraws from the target what the source has not, or otherwise.
func (m *moving) remove(ctx context.Context) error {
	var odd []sessionName
	err := m.to.Walk(ctx, func(s store.Session) error {
		name := sessionName{s.Realm, s.ID}
		row, ok := m.rows[name]
		if !ok || row.sum != sessionSum(s) {
			odd = append(odd, name)
			return nil
		}
		row.present = true
		m.rows[name] = row
		return nil
	})
	for _, name := range odd {
		if err != nil {
			break
		}
		m.done.Removed++
		_, err = m.to.RevokeSessions(ctx, name.realm, store.SessionMatch{ID: name.id})
	}
	return err
}

// write adds what the target lacks, in small parts of which several are under
// way.
func (m *moving) write(ctx context.Context, from SessionSource) error {
	calls, inner := errgroup.WithContext(ctx)
	calls.SetLimit(moveCalls)
	var part []store.Session
	flush := func() {
		if rows := part; len(rows) > 0 {
			part = nil
			calls.Go(func() error { return m.to.InsertSession(inner, rows...) })
		}
	}
	err := from.Sessions(inner, func(s store.Session) error {
		m.seen++
		m.step(m.seen)
		row, ok := m.rows[sessionName{s.Realm, s.ID}]
		if !ok || row.present {
			return nil
		}
		m.done.Written++
		if part = append(part, s); len(part) == moveRows {
			flush()
		}
		return inner.Err()
	})
	flush()
	if e := calls.Wait(); e != nil {
		return fmt.Errorf("sessions cannot be moved: %w", e)
	}
	return err
}

// verify holds the target against what was moved.
func (m *moving) verify(ctx context.Context) error {
	odd := 0
	err := m.to.Walk(ctx, func(s store.Session) error {
		name := sessionName{s.Realm, s.ID}
		if row, ok := m.rows[name]; !ok || row.sum != sessionSum(s) {
			odd++
		}
		delete(m.rows, name)
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range m.rows {
		if m.now().Add(time.Second).Before(row.keep) { // it has not ended meanwhile
			odd++
		}
	}
	if odd > 0 {
		return auth.Fail(auth.Conflict, "", errors.New("the sessions of the target are not those of the source: stop what else writes to it and copy again"))
	}
	return nil
}

// sessionSum is the digest of all that is kept of a session.
func sessionSum(s store.Session) [sha256.Size]byte {
	at := func(t store.Time) int64 { return store.Precise(t).UnixMilli() }
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %x %x %q %q %q %q %q %d %q %q %q %q %q %q %d %d %d %d %d %d %d",
		s.Realm, s.ID, s.Digest[:], s.Sealed, s.Dialect, string(s.Kind), s.Subject, s.Identity, s.Associate, s.KeyID, s.Tenant, s.Unit,
		[]string(s.Scopes), s.Flags, s.Slot, s.Family, at(s.Issued), at(s.Updated), at(s.Expires), s.Idle.Milliseconds(), at(s.Retired),
		at(s.Keep), s.Version))
}
