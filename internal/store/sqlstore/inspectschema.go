package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// part is a table or an index of a schema.
type part struct {
	kind, name string
	// text is the statement that made it, "" where that is not known.
	text string
}

// lookAtSchema finds what the migrations made and is not there, or not so: a
// unique index that is gone lets two rows have one name. It returns the names of
// the tables that are missing.
func (r *Report) lookAtSchema(ctx context.Context, f *flavour, conn *sql.Conn) (missing []string, err error) {
	want, have := wantedParts, serverParts
	if f.alone {
		want, have = madeParts, fileParts
	}
	wanted, err := want(ctx, f)
	if err != nil {
		return nil, err
	}
	found, err := have(ctx, conn)
	if err != nil {
		return nil, err
	}
	const remedy = "restore the store from a backup, or have the command store copy make another"
	for _, w := range wanted {
		i := slices.IndexFunc(found, func(p part) bool { return p.name == w.name && p.kind == w.kind })
		switch {
		case i < 0:
			r.problem("the %s %s is missing or not valid: %s", w.kind, w.name, remedy)
			if w.kind == kindTable {
				missing = append(missing, w.name)
			}
		case found[i].text != w.text:
			r.problem("the %s %s is not as this gatehouse makes it: %s", w.kind, w.name, remedy)
		}
	}
	return missing, nil
}

const (
	kindTable = "table"
	kindIndex = "index"
)

// fileParts are the tables and indexes of a file.
func fileParts(ctx context.Context, conn *sql.Conn) (all []part, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid`)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(r scanner) error {
		var p part
		err := r.Scan(&p.kind, &p.name, &p.text)
		p.text = strings.Join(strings.Fields(p.text), " ")
		all = append(all, p)
		return err
	})
	return all, err
}

// madeParts are those of a file in memory that the migrations are run on.
func madeParts(ctx context.Context, f *flavour) ([]part, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	steps, err := readMigrations(f.migrations)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if _, err := conn.ExecContext(ctx, s.script); err != nil {
			return nil, fmt.Errorf("migration %s: %w", s.name, err)
		}
	}
	return fileParts(ctx, conn)
}

// serverParts are the tables and valid indexes of a schema, without their texts.
func serverParts(ctx context.Context, conn *sql.Conn) (all []part, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT CASE c.relkind WHEN 'i' THEN 'index' ELSE 'table' END, c.relname
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
		WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'i') AND COALESCE(i.indisvalid, true)`)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(r scanner) error {
		var p part
		err := r.Scan(&p.kind, &p.name)
		all = append(all, p)
		return err
	})
	return all, err
}

var makes = regexp.MustCompile(`(?m)^CREATE (?:UNIQUE )?(TABLE|INDEX) (\w+)`)

// wantedParts are what the migrations name.
func wantedParts(_ context.Context, f *flavour) (all []part, err error) {
	steps, err := readMigrations(f.migrations)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		for _, m := range makes.FindAllStringSubmatch(s.script, -1) {
			all = append(all, part{kind: strings.ToLower(m[1]), name: m[2]})
		}
	}
	for _, t := range tablesInOrder { // the index behind a primary key
		if t.name != sessionsTable {
			all = append(all, part{kind: kindIndex, name: t.name + "_pkey"})
		}
	}
	return all, nil
}
