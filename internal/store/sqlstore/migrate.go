package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

const createMigrations = `CREATE TABLE IF NOT EXISTS schema_migrations
	(version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied BIGINT NOT NULL)`

// migration is one step of the schema.
type migration struct {
	version int
	name    string
	script  string
}

// readMigrations returns the steps of a folder, whose names are their number,
// from 1 without a gap, an underscore and a word: 0001_initial.sql.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	steps := make([]migration, len(names))
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("the migration %q does not have the number %d", name, i+1)
		}
		script, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps[i] = migration{i + 1, name, string(script)}
	}
	return steps, nil
}

// migrate brings the schema up to date in one transaction. It holds the right
// to write before it looks, so that of several processes one does the work.
func migrate(ctx context.Context, f *flavour, conn *sql.Conn, now time.Time) error {
	steps, err := readMigrations(f.migrations)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, f.begin); err != nil {
		return err
	}
	end := "COMMIT"
	if err = apply(ctx, f, conn, steps, now); err != nil {
		end = "ROLLBACK"
	}
	_, e := conn.ExecContext(context.WithoutCancel(ctx), end)
	return cmp.Or(err, e)
}

// apply runs the steps that the schema lacks.
func apply(ctx context.Context, f *flavour, conn *sql.Conn, steps []migration, now time.Time) error {
	var foreign, have int
	if err := conn.QueryRowContext(ctx, f.foreign).Scan(&foreign); err != nil {
		return err
	}
	if foreign > 0 {
		return errors.New("it holds the tables of another program: name another")
	}
	if _, err := conn.ExecContext(ctx, createMigrations); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&have); err != nil {
		return err
	}
	if have > len(steps) {
		return errors.New(newer(have, len(steps)))
	}
	for _, s := range steps[have:] {
		if err := s.apply(ctx, f, conn, now); err != nil {
			return fmt.Errorf("migration %s: %w", s.name, err)
		}
	}
	return nil
}

// newer says that a schema is of a later version of the program.
func newer(have, known int) string {
	return fmt.Sprintf("its schema %d is newer than %d, the last that this gatehouse knows: run the version that wrote it, or a newer one", have, known)
}

func (m migration) apply(ctx context.Context, f *flavour, conn *sql.Conn, now time.Time) error {
	if _, err := conn.ExecContext(ctx, m.script); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, f.rebind(`INSERT INTO schema_migrations (version, name, applied) VALUES (?, ?, ?)`),
		m.version, m.name, now.UnixMilli())
	return err
}
