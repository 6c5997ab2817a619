package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// What a copy leaves on its target beside the rows: which store it is a copy of,
// and whether all of it is there. One that lacks rows must not be used: of what
// was revoked it may have less than of what was issued.

// The table has one row. at is the time in nanoseconds at which the copy began,
// by which each tells itself from another.
const (
	createCopied = `CREATE TABLE IF NOT EXISTS copied_from (source TEXT NOT NULL, digest TEXT NOT NULL, at BIGINT NOT NULL)`
	holdCopied   = `UPDATE copied_from SET at = at WHERE at = ?`
	finishCopied = `UPDATE copied_from SET digest = ? WHERE at = ?`
	countHalves  = `SELECT COUNT(*) FROM copied_from WHERE digest = ''`

	lockCopy   = `SELECT pg_try_advisory_lock(1197433443, 3)`
	unlockCopy = `SELECT pg_advisory_unlock(1197433443, 3)`
)

// errHalf is a copy that is not whole.
var errHalf = errors.New("it is a copy of another store that is not finished, or is being made: finish it with the command store copy, or name another store")

// whole fails where a store is half of a copy.
func whole(ctx context.Context, f *flavour, conn *sql.Conn) error {
	var tables, halves int
	if err := conn.QueryRowContext(ctx, f.copied).Scan(&tables); err != nil || tables == 0 {
		return err
	}
	if err := conn.QueryRowContext(ctx, countHalves).Scan(&halves); err != nil {
		return err
	}
	if halves > 0 {
		return errHalf
	}
	return nil
}

// own keeps other copies away until release is called, where the engine has a
// lock that outlives a transaction. Elsewhere the one that begins last goes on.
func (s *side) own(ctx context.Context) (release func(), err error) {
	if s.flavour.alone {
		return func() {}, nil
	}
	var mine bool
	if err := s.conn.QueryRowContext(ctx, lockCopy).Scan(&mine); err != nil {
		return nil, s.explain(err)
	}
	if !mine {
		return nil, fmt.Errorf("another copy to %s is under way", s.place)
	}
	return func() { _, _ = s.conn.ExecContext(context.WithoutCancel(ctx), unlockCopy) }, nil
}

// mark notes on a target what it will be a copy of.
func (s *side) mark(ctx context.Context, source string) error {
	token := time.Now().UnixNano()
	err := s.inOne(ctx, func(t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM copied_from`); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, s.flavour.rebind(`INSERT INTO copied_from (source, digest, at) VALUES (?, '', ?)`), source, token)
		return err
	})
	s.token = token
	return err
}

// finished notes the digest of all that the copy is of: it is whole.
func (s *side) finished(ctx context.Context, digest string) error {
	_, err := s.exec(ctx, finishCopied, digest, s.token)
	return err
}

// marked returns what was noted: the digest is "" until all of it is there.
func (s *side) marked(ctx context.Context) (source, digest string, err error) {
	if _, err := s.conn.ExecContext(ctx, createCopied); err != nil {
		return "", "", err
	}
	err = s.conn.QueryRowContext(ctx, `SELECT source, digest FROM copied_from`).Scan(&source, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return source, digest, err
}

// inOne runs statements that hold together.
func (s *side) inOne(ctx context.Context, do func(*sql.Tx) error) error {
	t, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }()
	if err := do(t); err != nil {
		return err
	}
	return t.Commit()
}

// exec runs a statement that writes, unless another copy has begun since: that
// one is of a later instant, and what is written here could be what it removed.
func (s *side) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.inOne(ctx, func(t *sql.Tx) error {
		held, err := t.ExecContext(ctx, s.flavour.rebind(holdCopied), s.token)
		if err != nil {
			return err
		}
		if ours, err := held.RowsAffected(); err != nil || ours != 1 {
			return errors.Join(err, errors.New("another copy to it has begun: let that one finish"))
		}
		res, err := t.ExecContext(ctx, s.flavour.rebind(query), args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}
