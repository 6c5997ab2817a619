package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// copyFlags say from where to where.
type copyFlags struct {
	from, to, toConfig         string
	overwrite, withoutSessions bool
}

func storeCopy() verb {
	var c copyFlags
	return verb{
		use: "copy", short: "Copies the store to another place, and again what changed since",
		long: `
Makes another store hold what this one does: a live SQLite store moves to
PostgreSQL, or back. A place is the file of a SQLite store or a postgres:// URL, in
which placeholders such as {env.NAME} are replaced: a password must be one. Copy
while the gateways run, stop them, copy once more, which writes only what changed
since, and start them on the new store, with the same key ring. The target must be
empty or a copy of this source that nobody has written to.`,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&c.from, "from", "", "Place to copy from (default: the store of the configuration)")
			f.StringVar(&c.to, "to", "", "Place to copy to")
			f.StringVar(&c.toConfig, "to-config", "", "Configuration whose store, with its sessions, is copied to, in place of --to")
			f.BoolVar(&c.overwrite, "overwrite", false, "Lose what was written to an earlier copy of this source since")
			f.BoolVar(&c.withoutSessions, "without-sessions", false, "Leave out sessions: everybody has to log in anew")
		},
		before: func(*operation) error {
			if (c.to == "") == (c.toConfig == "") {
				return usagef("say where to copy to: --to or --to-config")
			}
			for _, place := range []string{c.from, c.to} {
				if showsPassword(place) {
					return usagef("the url has a password, which others on this machine can see: put it into a variable and write {env.NAME} in its place")
				}
			}
			return nil
		},
		apart: c.run,
	}
}

// showsPassword reports whether a URL has a password that is no placeholder.
func showsPassword(place string) bool {
	if !isURL(place) {
		return false
	}
	rest := place[strings.Index(place, "://")+3:]
	user, _, found := strings.Cut(rest, "@")
	_, password, has := strings.Cut(user, ":")
	literal := strings.HasPrefix(password, "{env.") && strings.HasSuffix(password, "}")
	if found && has && !literal {
		return true
	}
	u, err := url.Parse(place)
	return err == nil && u.Query().Has("password") && !strings.HasPrefix(u.Query().Get("password"), "{env.")
}

func isURL(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

// storageNamed resolves what a flag names.
func storageNamed(text string) (storage, error) {
	repl := caddy.NewReplacer()
	if isURL(text) || strings.HasPrefix(text, "{env.") {
		found, err := secretFrom("the place", text, repl, aPlace)
		if err != nil || isURL(found.Reveal()) {
			return storage{engine: enginePostgres, url: found}, err
		}
	}
	path, err := repl.ReplaceOrErr(text, true, true)
	return storage{engine: engineSQLite, path: path}, err
}

// aPlace takes every place: one that is none is told when it is opened.
func aPlace(auth.Secret) error { return nil }

// configured is the storage of a configuration.
func configured(config, adapter string) (storage, error) {
	s, err := loadSetup(config, adapter)
	if err != nil {
		return storage{}, err
	}
	return s.app.resolved()
}

func (s storage) place() sqlstore.Place {
	if s.engine == engineSQLite {
		return sqlstore.Place{Path: s.path}
	}
	return sqlstore.Place{DSN: s.url.Reveal()}
}

func (c *copyFlags) run(o *operation, at *place) error {
	from, to, err := c.places(at)
	if err != nil {
		return err
	}
	tally := o.tally("copying")
	opts := sqlstore.CopyOptions{Overwrite: c.overwrite, WithoutSessions: c.withoutSessions, Step: tally.at}
	closed, err := c.sessions(o, from, to, &opts)
	if err != nil {
		return err
	}
	all, err := sqlstore.Copy(o, from.place(), to.place(), opts)
	tally.end()
	if err := errors.Join(err, closed()); err != nil {
		if o.Err() != nil {
			return errors.New("interrupted: run it again to go on")
		}
		return err
	}
	return list(o, copiedTables(), func(yield func(sqlstore.Copied) error) error {
		for _, t := range all {
			if err := yield(t); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *copyFlags) places(at *place) (from, to storage, err error) {
	if c.from != "" {
		from, err = storageNamed(c.from)
	} else {
		from, err = configured(at.config, at.adapter)
	}
	if err != nil {
		return from, to, err
	}
	if c.toConfig != "" {
		to, err = configured(c.toConfig, "")
	} else {
		to, err = storageNamed(c.to)
	}
	return from, to, err
}

// sessions decides what becomes of sessions: they are rows like others, or move
// to Redis, or are there already. Out of Redis none move.
func (c *copyFlags) sessions(ctx context.Context, from, to storage, opts *sqlstore.CopyOptions) (closed func() error, err error) {
	closed = func() error { return nil }
	apart, kept := !from.sessions.URL.Empty(), !to.sessions.URL.Empty()
	switch {
	case c.withoutSessions || !apart && !kept:
		return closed, nil
	case apart && kept && from.sessions.URL.Equal(to.sessions.URL):
		opts.WithoutSessions = true // they stay where they are
		return closed, nil
	case apart:
		return closed, errors.New("sessions are in Redis and are not copied out of it: name them in --to-config too, or say --without-sessions to have everybody log in anew")
	}
	o := to.sessions
	o.Now, o.Timeout = time.Now, startTimeout
	target, err := redisstore.Open(ctx, o)
	if err != nil {
		return closed, err
	}
	step := opts.Step
	opts.Sessions = func(ctx context.Context, from sqlstore.Snapshot) error {
		_, err := admin.MoveSessions(ctx, from, target, from.First, time.Now, func(done int64) { step("sessions to Redis", done, -1) })
		return err
	}
	return target.Close, nil
}

func copiedTables() listing[sqlstore.Copied] {
	return listing[sqlstore.Copied]{
		head: []string{"TABLE", "ROWS", "WRITTEN", "REMOVED", "DIGEST"},
		doc:  func(t sqlstore.Copied) (any, error) { return t, nil },
		cells: func(t sqlstore.Copied) ([]string, error) {
			return []string{t.Table, fmt.Sprint(t.Rows), fmt.Sprint(t.Written), fmt.Sprint(t.Removed), cell(t.Digest[:min(16, len(t.Digest))])}, nil
		},
	}
}
