package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// side is one of the two stores of a copy.
type side struct {
	place   string
	flavour *flavour
	db      *sql.DB
	// conn carries a snapshot of a source and all writes of a target, which is
	// read beside them on reader.
	conn, reader *sql.Conn
	explain      func(error) error
	// settled fails where what was read may not be of one instant.
	settled func() error
	// token is what this copy wrote on its target.
	token int64
}

// copyPragmas are set on the connections to a file that is copied.
var copyPragmas = []string{"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)"}

// openSide opens a store whose schema must be the one that this program knows,
// to write to it or to change nothing.
func openSide(ctx context.Context, p Place, write bool) (*side, error) {
	s, err := p.side(write)
	if err != nil {
		return nil, err
	}
	if s.conn, err = s.db.Conn(ctx); err == nil {
		s.reader, err = s.db.Conn(ctx)
	}
	if err == nil {
		err = s.current(ctx)
	}
	if err != nil {
		s.close()
		return nil, s.explain(err)
	}
	s.explain = explaining(func(err error) error {
		return fmt.Errorf("the copy stopped at the store %s: %w", s.place, plainPostgres(err))
	})
	return s, nil
}

func (p Place) side(write bool) (*side, error) {
	if p.DSN != "" {
		return serverSide(p.DSN, write)
	}
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return nil, err
	}
	looking, err := openReader(path) // says whether it is there
	if err != nil {
		return nil, err
	}
	s := &side{place: path, flavour: sqliteFlavour(), db: looking.DB, settled: looking.settled}
	s.explain = explaining(func(err error) error { return explain(path, err) })
	if !write {
		return s, nil
	}
	if err := looking.Close(); err != nil {
		return nil, err
	}
	s.settled = func() error { return nil }
	s.db, err = sql.Open("sqlite", dataSource(path, copyPragmas))
	return s, err
}

func serverSide(dsn string, write bool) (*side, error) {
	db, config, err := openPlain(dsn, write)
	if err != nil {
		return nil, err
	}
	s := &side{place: postgresPlace(config), flavour: postgresFlavour(), db: db, settled: func() error { return nil }}
	s.explain = explaining(func(err error) error { return explainPostgres(s.place, err) })
	return s, nil
}

// explaining leaves out what is no error, or has nothing to do with the store.
func explaining(explain func(error) error) func(error) error {
	return func(err error) error {
		if err == nil || errors.Is(err, context.Canceled) {
			return err
		}
		return explain(err)
	}
}

func (s *side) close() {
	for _, c := range []*sql.Conn{s.conn, s.reader} {
		if c != nil {
			_ = c.Close()
		}
	}
	_ = s.db.Close()
}

// current fails unless the schema is the newest that this program knows.
func (s *side) current(ctx context.Context) error {
	steps, err := readMigrations(s.flavour.migrations)
	if err != nil {
		return err
	}
	var have int
	if err := s.conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&have); err != nil {
		return err
	}
	if have > len(steps) {
		return errors.New(newer(have, len(steps)))
	}
	if have < len(steps) {
		return fmt.Errorf("its schema is %d and %d is needed: run the command store migrate on it first", have, len(steps))
	}
	return nil
}

// freeze has all that is read on conn be of one instant.
func (s *side) freeze(ctx context.Context) error {
	begin := "BEGIN"
	if !s.flavour.alone {
		begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	}
	if _, err := s.conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	var n int
	return s.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM schema_migrations`).Scan(&n) // now it has begun
}

// identity tells one store from another: by when it was made, which goes where
// its file goes.
func (s *side) identity(ctx context.Context) (string, error) {
	var made int64
	err := s.conn.QueryRowContext(ctx, `SELECT applied FROM schema_migrations WHERE version = 1`).Scan(&made)
	kind := "sqlite"
	if !s.flavour.alone {
		kind = "postgres"
	}
	return fmt.Sprintf("%s %d", kind, made), err
}

// serverName tells one database and schema of all servers from others, however a
// DSN names it; "" for a file.
func (s *side) serverName(ctx context.Context) (name string, err error) {
	if s.flavour.alone {
		return "", nil
	}
	err = s.conn.QueryRowContext(ctx, `SELECT pg_postmaster_start_time()::text || ' ' || current_database() || ' ' || current_schema()`).Scan(&name)
	return name, err
}

// rows counts what is in all tables.
func (s *side) rows(ctx context.Context) (all int64, err error) {
	for _, t := range tablesInOrder {
		var n int64
		if err := s.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&n); err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// digest is one digest of all rows.
func (s *side) digest(ctx context.Context) (string, error) {
	var all []Copied
	for _, t := range tablesInOrder {
		rows, digest, err := s.digestOf(ctx, t)
		if err != nil {
			return "", err
		}
		all = append(all, Copied{Table: t.name, Rows: rows, Digest: digest})
	}
	return wholeDigest(all), nil
}

// digestOf counts the rows of a table and digests them in order.
func (s *side) digestOf(ctx context.Context, t table) (n int64, digest string, err error) {
	rows, err := s.read(ctx, s.reader, t)
	if err != nil {
		return 0, "", err
	}
	defer rows.close()
	sum := sha256.New()
	for {
		if err := rows.next(); err != nil {
			return 0, "", err
		}
		if rows.row == nil {
			return n, hex.EncodeToString(sum.Sum(nil)), nil
		}
		rows.row.hash(sum)
		n++
	}
}

// remove deletes rows by their key.
func (s *side) remove(ctx context.Context, t table, rows []tuple) error {
	one := strings.Join(t.key, " = ? AND ") + " = ?"
	args := make([]any, 0, len(rows)*len(t.key))
	for _, r := range rows {
		args = append(args, r[:len(t.key)]...)
	}
	_, err := s.exec(ctx, `DELETE FROM `+t.name+` WHERE (`+strings.Repeat(one+") OR (", len(rows)-1)+one+`)`, args...)
	return s.explain(err)
}

// insert adds rows.
func (s *side) insert(ctx context.Context, t table, rows []tuple) error {
	one := "(" + strings.Repeat("?, ", len(t.columns)-1) + "?)"
	args := make([]any, 0, len(rows)*len(t.columns))
	for _, r := range rows {
		args = append(args, s.values(t, r)...)
	}
	override := ""
	if t.counted && !s.flavour.alone {
		override = " OVERRIDING SYSTEM VALUE"
	}
	_, err := s.exec(ctx, `INSERT INTO `+t.name+` (`+strings.Join(t.columns, ", ")+`)`+override+
		` VALUES `+strings.Repeat(one+", ", len(rows)-1)+one, args...)
	return s.explain(err)
}

// countOn has the sequence of a table go on behind that of another side.
func (s *side) countOn(ctx context.Context, t table, other *side) error {
	n, err := other.sequence(ctx, t)
	if err != nil {
		return other.explain(err)
	}
	mine, err := s.sequence(ctx, t)
	if err != nil || mine >= n {
		return s.explain(err)
	}
	if s.flavour.alone {
		_, err = s.exec(ctx, `DELETE FROM sqlite_sequence WHERE name = ?`, t.name)
		if err == nil {
			_, err = s.exec(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, t.name, n)
		}
		return s.explain(err)
	}
	_, err = s.exec(ctx, `SELECT setval(pg_get_serial_sequence('`+t.name+`', '`+t.key[0]+`'), ?)`, n)
	return s.explain(err)
}

// sequence is the newest id that a table gave, whether its row is there or not.
func (s *side) sequence(ctx context.Context, t table) (n int64, err error) {
	if s.flavour.alone {
		err = s.conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = ?`, t.name).Scan(&n)
		return n, err
	}
	var of string
	if err := s.conn.QueryRowContext(ctx, `SELECT pg_get_serial_sequence($1, $2)`, t.name, t.key[0]).Scan(&of); err != nil {
		return 0, err
	}
	err = s.conn.QueryRowContext(ctx, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM `+of).Scan(&n) //nolint:gosec // the server quoted it
	return n, err
}
