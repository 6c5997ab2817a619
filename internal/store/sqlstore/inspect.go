package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Report is what a look at a store found that changes nothing of it.
type Report struct {
	// Engine is "sqlite" or "postgres", Place its file or database, without a
	// password.
	Engine, Place string
	// Schema is the version that is there, 0 for none, and Needed the one that
	// this program brings it to.
	Schema, Needed int
	// Tables counts rows, in the order of [Tables]; empty where the schema is
	// another.
	Tables []TableCount
	// Problems are what makes the store unfit, Notices what its operator should
	// know; a sentence each.
	Problems, Notices []string
}

// TableCount is how many rows a table has.
type TableCount struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// maxFindings bounds how many lines of an integrity check are told.
const maxFindings = 10

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

func (r *Report) notice(format string, args ...any) {
	r.Notices = append(r.Notices, fmt.Sprintf(format, args...))
}

// SchemaOf returns the version of the schema at a place, 0 for none, and what the
// place is called, without a password.
func SchemaOf(ctx context.Context, p Place) (version int, name string, err error) {
	if p.DSN == "" {
		if _, err := os.Stat(p.Path); errors.Is(err, fs.ErrNotExist) {
			return 0, p.Path, nil
		}
	}
	s, err := p.side(true)
	if err != nil {
		return 0, "", err
	}
	defer s.close()
	var tables int
	if err := s.db.QueryRowContext(ctx, s.flavour.migrated).Scan(&tables); err != nil || tables == 0 {
		return 0, s.place, s.explain(err)
	}
	err = s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&version)
	return version, s.place, s.explain(err)
}

// InspectSQLite looks at the store in a file, which must be there, and holds all
// of its pages and references against each other: that reads the whole file.
func InspectSQLite(ctx context.Context, path string) (Report, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Report{}, err
	}
	r := Report{Engine: "sqlite", Place: path}
	db, err := openReader(path)
	if err != nil {
		return r, err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return r, explain(path, err)
	}
	defer func() { _ = conn.Close() }()
	if err := r.look(ctx, sqliteFlavour(), conn); err != nil {
		return r, explain(path, err)
	}
	for _, check := range []struct{ query, what string }{
		{`PRAGMA integrity_check(10)`, "its integrity check says"},
		{`SELECT 'a row of ' || "table" || ' refers to one of ' || parent || ' that is not there' FROM pragma_foreign_key_check LIMIT 10`, "its references are broken"},
	} {
		lines, err := texts(ctx, conn, check.query)
		if err != nil {
			return r, explain(path, err)
		}
		for _, line := range lines {
			if line != "ok" {
				r.problem("%s: %s: restore it from a backup", check.what, line)
			}
		}
	}
	return r, errors.Join(r.lookAtMode(path), db.settled())
}

func (r *Report) lookAtMode(path string) error {
	at, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := at.Mode().Perm(); mode&0o007 != 0 {
		r.notice("everybody can read the file (mode %04o): the gateway takes that from them when it starts", mode)
	}
	return nil
}

// look reads the version of the schema and counts the rows where it is ours.
func (r *Report) look(ctx context.Context, f *flavour, conn *sql.Conn) error {
	steps, err := readMigrations(f.migrations)
	if err != nil {
		return err
	}
	r.Needed = len(steps)
	var foreign, tables int
	if err := conn.QueryRowContext(ctx, f.foreign).Scan(&foreign); err != nil {
		return err
	}
	if foreign > 0 {
		r.problem("it holds the tables of another program: name another")
		return nil
	}
	if err := conn.QueryRowContext(ctx, f.migrated).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		if err := conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&r.Schema); err != nil {
			return err
		}
	}
	switch {
	case r.Schema > r.Needed:
		r.problem("%s", newer(r.Schema, r.Needed))
		return nil
	case r.Schema < r.Needed:
		r.problem("its schema is %d and %d is needed: run the command store migrate, or start the gateway", r.Schema, r.Needed)
		return nil
	}
	if err := whole(ctx, f, conn); errors.Is(err, errHalf) {
		r.problem("%v", err)
	} else if err != nil {
		return err
	}
	missing, err := r.lookAtSchema(ctx, f, conn)
	if err != nil {
		return err
	}
	for _, t := range tablesInOrder {
		c := TableCount{Table: t.name}
		if slices.Contains(missing, t.name) {
			continue
		}
		if err := conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&c.Rows); err != nil {
			return err
		}
		r.Tables = append(r.Tables, c)
	}
	return nil
}

func texts(ctx context.Context, conn *sql.Conn, query string) (list []string, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(r scanner) error {
		var s string
		err := r.Scan(&s)
		list = append(list, s)
		return err
	})
	return list[:min(len(list), maxFindings)], err
}

// InspectPostgres looks at the store in a database.
func InspectPostgres(ctx context.Context, dsn string) (Report, error) {
	r := Report{Engine: "postgres"}
	db, config, err := openPlain(dsn, false)
	if err != nil {
		return r, err
	}
	defer func() { _ = db.Close() }()
	r.Place = postgresPlace(config)
	conn, err := db.Conn(ctx)
	if err != nil {
		return r, explainPostgres(r.Place, err)
	}
	defer func() { _ = conn.Close() }()
	err = r.look(ctx, postgresFlavour(), conn)
	if err == nil {
		err = r.lookAtSettings(ctx, conn)
	}
	if err != nil {
		return r, explainPostgres(r.Place, err)
	}
	return r, nil
}

// openPlain returns connections to a database on which a statement may take as
// long as it wants: those of commands that read everything. Who does not write
// may read from a standby too.
func openPlain(dsn string, write bool) (*sql.DB, *pgx.ConnConfig, error) {
	config, err := postgresConfig(dsn, Options{}.withDefaults(), 0, new(hosts))
	if err != nil {
		return nil, nil, err
	}
	c := config.ConnConfig
	c.ConnectTimeout = defaultLockWait
	for name, value := range map[string]string{
		"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "30s",
	} {
		c.RuntimeParams[name] = value
	}
	if !write {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return stdlib.OpenDB(*c), c, nil
}

// weak are settings of a server with which an answered write can be lost, or
// half of a page.
var weak = []struct{ name, bad, consequence string }{
	{"fsync", "off", "a crash of the machine may damage the whole database"},
	{"full_page_writes", "off", "a crash of the machine may leave a page half written"},
	{"synchronous_commit", "off", "a crash of the server loses logins and revocations that were answered"},
}

func (r *Report) lookAtSettings(ctx context.Context, conn *sql.Conn) error {
	for _, w := range weak {
		var value string
		if err := conn.QueryRowContext(ctx, `SELECT current_setting($1)`, w.name).Scan(&value); err != nil {
			return err
		}
		if value == w.bad {
			r.problem("the server's %s is %s, with which %s: set it to on", w.name, value, w.consequence)
		}
	}
	var version, most, readOnly string
	err := conn.QueryRowContext(ctx,
		`SELECT current_setting('server_version'), current_setting('max_connections'), pg_is_in_recovery()::text`).Scan(&version, &most, &readOnly)
	if err != nil {
		return err
	}
	if readOnly == "true" {
		r.problem("the server is a standby that takes no writes: name the one that does")
	}
	version, _, _ = strings.Cut(version, " ")
	r.notice("PostgreSQL %s takes %s connections; each gateway opens %d and one to listen where max_connections says nothing else", version, most, defaultConns)
	return nil
}
