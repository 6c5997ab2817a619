package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Place is a file of SQLite or, where DSN is set, a database of PostgreSQL.
type Place struct{ Path, DSN string }

// CopyOptions are what a copy is given beside its places.
type CopyOptions struct {
	// Overwrite replaces a target that was written to since it was copied to.
	Overwrite bool
	// WithoutSessions leaves out sessions, and those that the target has go.
	WithoutSessions bool
	// Step is told, now and then, how many rows of how many of a table are
	// done.
	Step func(table string, done, of int64)
	// Sessions, where it is set, is handed the sessions of the source, all of
	// the instant of the copy. They then are not in the target.
	Sessions func(ctx context.Context, from Snapshot) error
}

// Copied is what a copy did to a table.
type Copied struct {
	Table string `json:"table"`
	// Rows are those of the source, and of the target from now on.
	Rows int64 `json:"rows"`
	// Written and Removed are those that differed. A row that changed is both.
	Written int64 `json:"written"`
	Removed int64 `json:"removed"`
	// Digest is the SHA-256 of all rows in order, the same on both sides.
	Digest string `json:"digest"`
}

// Copy makes the target hold what the source does, at one instant of the source,
// which gateways may go on using. The target's schema is brought up to date; the
// source must be of the same. Only rows that differ are written, in steps that
// hold by themselves: interrupted, a copy goes on where it is run again, and a
// second one after a first is done in the time it takes to compare.
//
// A target that holds something else is refused: it must be empty, or as a copy
// of this source left it. Whether it is, and at the end whether both hold the
// same, is told by counts and digests of every table.
//
// Changes are not copied: sequences of one store mean nothing in another. The
// target gets one that withdraws all that was cached of it.
func Copy(ctx context.Context, from, to Place, o CopyOptions) (all []Copied, err error) {
	source, err := openSide(ctx, from, false)
	if err != nil {
		return nil, err
	}
	defer source.close()
	if err := source.freeze(ctx); err != nil {
		return nil, source.explain(err)
	}
	if err := from.differs(to); err != nil {
		return nil, err
	}
	if err := to.migrate(ctx); err != nil {
		return nil, err
	}
	target, err := openSide(ctx, to, true)
	if err != nil {
		return nil, err
	}
	defer target.close()
	c := &copying{from: source, to: target, o: o}
	if err := c.apart(ctx); err != nil {
		return nil, err
	}
	all, err = c.run(ctx)
	if err != nil {
		return all, err
	}
	return all, errors.Join(to.announce(ctx), source.settled())
}

var errSame = errors.New("the source and the target of the copy are the same store")

// differs fails where both places are one file, however it is named.
func (p Place) differs(other Place) error {
	if p.DSN != "" || other.DSN != "" {
		return nil
	}
	a, err := os.Stat(p.Path)
	if err != nil {
		return err
	}
	b, err := os.Stat(other.Path)
	if err == nil && os.SameFile(a, b) {
		return errSame
	}
	return nil
}

// apart fails where both sides are one database of one server, and where the
// source is itself half of a copy.
func (c *copying) apart(ctx context.Context) error {
	one, err := c.from.serverName(ctx)
	if err != nil {
		return c.from.explain(err)
	}
	other, err := c.to.serverName(ctx)
	if err != nil {
		return c.to.explain(err)
	}
	if one != "" && one == other {
		return errSame
	}
	return c.from.explain(whole(ctx, c.from.flavour, c.from.conn))
}

// copying is a copy under way.
type copying struct {
	from, to *side
	o        CopyOptions
	first    bool // the target has not been copied to before
}

func (c *copying) run(ctx context.Context) ([]Copied, error) {
	source, err := c.from.identity(ctx)
	if err != nil {
		return nil, c.from.explain(err)
	}
	release, err := c.to.own(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := c.admit(ctx, source); err != nil {
		return nil, err
	}
	if err := c.to.mark(ctx, source); err != nil {
		return nil, c.to.explain(err)
	}
	all := make([]Copied, 0, len(tablesInOrder))
	for _, t := range tablesInOrder {
		done, err := c.table(ctx, t)
		if err != nil {
			return all, err
		}
		all = append(all, done)
	}
	if c.o.Sessions != nil {
		if err := c.o.Sessions(ctx, Snapshot{side: c.from, First: c.first}); err != nil {
			return all, err
		}
	}
	return all, c.verify(ctx, all)
}

// admit refuses a target that holds what did not come from this source.
func (c *copying) admit(ctx context.Context, source string) error {
	began, left, err := c.to.marked(ctx)
	if err != nil {
		return c.to.explain(err)
	}
	switch {
	case began == source && (left == "" || c.o.Overwrite): // interrupted, or it shall be replaced
		return nil
	case began == source:
		found, err := c.to.digest(ctx)
		if err != nil {
			return c.to.explain(err)
		}
		if found != left {
			return fmt.Errorf("the target %s was written to since the last copy: a gateway uses it; stop that and say --overwrite to lose what it wrote", c.to.place)
		}
		return nil
	}
	c.first = true
	n, err := c.to.rows(ctx)
	if err != nil {
		return c.to.explain(err)
	}
	if n > 0 {
		return fmt.Errorf("the target %s holds %d rows that did not come from this source: name an empty one", c.to.place, n)
	}
	return nil
}

// empties reports whether a table is left empty on the target.
func (c *copying) empties(t table) bool {
	return t.name == sessionsTable && (c.o.WithoutSessions || c.o.Sessions != nil)
}

// table makes a table of the target that of the source. What is gone or differs
// is removed first: what comes in its place may have the same name.
func (c *copying) table(ctx context.Context, t table) (done Copied, err error) {
	done.Table = t.name
	if c.empties(t) {
		done.Removed, err = c.to.exec(ctx, `DELETE FROM `+t.name)
		return done, c.to.explain(err)
	}
	if err := c.from.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&done.Rows); err != nil {
		return done, c.from.explain(err)
	}
	removing := &batch{table: t, write: c.to.remove}
	if err := c.compare(ctx, t, func(source, target tuple) error {
		if target != nil && (source == nil || !source.equal(target)) {
			done.Removed++
			return removing.add(ctx, target)
		}
		return nil
	}); err != nil {
		return done, err
	}
	if err := removing.flush(ctx); err != nil {
		return done, err
	}
	sum, seen := sha256.New(), int64(0)
	writing := &batch{table: t, write: c.to.insert}
	if err := c.compare(ctx, t, func(source, target tuple) error {
		if source == nil {
			return nil // somebody writes to the target: the end will tell
		}
		if seen++; seen%stepRows == 0 {
			c.o.Step(t.name, seen, done.Rows)
		}
		source.hash(sum)
		if target != nil {
			return nil
		}
		done.Written++
		return writing.add(ctx, source)
	}); err != nil {
		return done, err
	}
	if err := writing.flush(ctx); err != nil {
		return done, err
	}
	c.o.Step(t.name, seen, done.Rows)
	done.Digest = hex.EncodeToString(sum.Sum(nil))
	if t.counted {
		err = c.to.countOn(ctx, t, c.from)
	}
	return done, err
}

// stepRows is after how many rows a copy tells how far it is.
const stepRows = 250

// compare hands over the rows of a table of both sides, in order, those of one
// key together; nil stands for one that a side lacks.
func (c *copying) compare(ctx context.Context, t table, each func(source, target tuple) error) error {
	a, err := c.from.read(ctx, c.from.conn, t)
	if err != nil {
		return c.from.explain(err)
	}
	defer a.close()
	b, err := c.to.read(ctx, c.to.reader, t)
	if err != nil {
		return c.to.explain(err)
	}
	defer b.close()
	if err := errors.Join(c.from.explain(a.next()), c.to.explain(b.next())); err != nil {
		return err
	}
	for a.row != nil || b.row != nil {
		source, target := a.row, b.row
		switch order := compareKeys(t, source, target); {
		case order < 0:
			target = nil
		case order > 0:
			source = nil
		}
		if err := each(source, target); err != nil {
			return err
		}
		if source != nil {
			if err := a.next(); err != nil {
				return c.from.explain(err)
			}
		}
		if target != nil {
			if err := b.next(); err != nil {
				return c.to.explain(err)
			}
		}
	}
	return nil
}

// verify reads the target once more and marks it as a whole copy.
func (c *copying) verify(ctx context.Context, all []Copied) error {
	for i, t := range tablesInOrder {
		if c.empties(t) {
			all[i].Digest = hex.EncodeToString(sha256.New().Sum(nil))
		}
		rows, digest, err := c.to.digestOf(ctx, t)
		if err != nil {
			return c.to.explain(err)
		}
		if rows != all[i].Rows || digest != all[i].Digest {
			return fmt.Errorf("the table %s of the target has %d rows that are not the %d of the source: stop what else writes to %s and copy again",
				t.name, rows, all[i].Rows, c.to.place)
		}
	}
	return c.to.explain(c.to.finished(ctx, wholeDigest(all)))
}

// wholeDigest is one digest of those of all tables.
func wholeDigest(all []Copied) string {
	var text strings.Builder
	for _, t := range all {
		fmt.Fprintf(&text, "%s %d %s\n", t.Table, t.Rows, t.Digest)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:])
}

// migrate brings the schema of a place up to date, and makes a file.
func (p Place) migrate(ctx context.Context) error {
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	return s.Close()
}

// announce withdraws what anybody has cached of a place.
func (p Place) announce(ctx context.Context) error {
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	for _, kind := range []store.ChangeKind{store.AllChanged, store.SigningKeysChanged} {
		err = errors.Join(err, s.Changes.Record(ctx, store.Change{Kind: kind}))
	}
	return errors.Join(err, s.Close())
}

func (p Place) open(ctx context.Context) (store.Store, error) {
	o := Options{Now: time.Now, Wait: defaultLockWait, halfToo: true}
	if p.DSN != "" {
		return OpenPostgres(ctx, p.DSN, o)
	}
	return OpenSQLite(ctx, p.Path, o)
}

// Snapshot is a store at one instant.
type Snapshot struct {
	side *side
	// First says that nothing was copied from it to the target before.
	First bool
}

// Sessions calls each with every session, in the order of realm and id.
func (s Snapshot) Sessions(ctx context.Context, each func(store.Session) error) error {
	rows, err := s.side.conn.QueryContext(ctx, `SELECT `+sessionColumns+` FROM sessions ORDER BY realm, id`)
	if err != nil {
		return s.side.explain(err)
	}
	return eachRow(rows, func(r scanner) error {
		row, err := scanSession(r)
		if err != nil {
			return err
		}
		return each(row)
	})
}
