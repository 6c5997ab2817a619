package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/splitstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// storage is where a configuration has everything kept, its placeholders
// replaced.
type storage struct {
	engine, path   string
	url            auth.Secret
	maxConnections int
	// sessions is the zero value where they are kept with the rest.
	sessions redisstore.Options
}

// storage resolves where everything is kept.
func (a *App) storage(repl *caddy.Replacer) (s storage, err error) {
	s.engine = a.Store.engine()
	if s.engine == engineSQLite {
		s.path, err = a.storePath(repl)
	} else {
		s.maxConnections = a.Store.MaxConnections
		s.url, err = secretFrom("store postgres", a.Store.URL, repl, func(url auth.Secret) error { return sqlstore.CheckPostgres(url.Reveal()) })
	}
	if err != nil || a.Sessions == nil {
		return s, err
	}
	s.sessions = redisstore.Options{Replicas: a.Sessions.Replicas, ReplicaWait: time.Duration(a.Sessions.ReplicasTimeout)}
	s.sessions.URL, err = secretFrom("sessions redis", a.Sessions.URL, repl, redisstore.Check)
	return s, err
}

// storePath returns the file of the store.
func (a *App) storePath(repl *caddy.Replacer) (string, error) {
	if a.Store == nil || a.Store.Path == "" {
		return filepath.Join(caddy.AppDataDir(), "gatehouse.db"), nil
	}
	path, err := repl.ReplaceOrErr(a.Store.Path, true, true)
	if err != nil {
		return "", fmt.Errorf("store path %s: %w", a.Store.Path, err)
	}
	return path, checkStorePath(path)
}

// variable is a placeholder whose name is none of the secret.
var variable = regexp.MustCompile(`\{env\.\w+\}`)

// secretFrom replaces the placeholders of a URL that may hold a password, and
// has check read what comes of it. No error repeats a part of it: what stands
// between braces may be a password.
func secretFrom(what, text string, repl *caddy.Replacer, check func(auth.Secret) error) (auth.Secret, error) {
	out, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		for _, name := range variable.FindAllString(text, -1) {
			if strings.Contains(err.Error(), name) {
				return auth.Secret{}, fmt.Errorf("%s: %s is empty or not set", what, name)
			}
		}
		return auth.Secret{}, fmt.Errorf("%s: a placeholder of its url is empty or unknown", what)
	}
	url := auth.NewSecret(out)
	if err := check(url); err != nil {
		return auth.Secret{}, fmt.Errorf("%s: %w", what, err)
	}
	return url, nil
}

// key tells one storage from another, without a secret in it. One that is to be
// opened in another way is another: so what was changed counts from a reload on.
func (s storage) key() (string, error) {
	apart := fmt.Sprintf("\x00%s %d %s", digestOf(s.sessions.URL), s.sessions.Replicas, s.sessions.ReplicaWait)
	if s.engine == engineSQLite {
		path, err := filepath.Abs(s.path)
		return path + apart, err
	}
	return fmt.Sprintf("%s %s %d%s", s.engine, digestOf(s.url), s.maxConnections, apart), nil
}

func digestOf(s auth.Secret) string { return auth.DigestOf(s.Reveal()).String() }

// absent returns the file that is not there yet, "" for none.
func (s storage) absent() string {
	if s.engine != engineSQLite {
		return ""
	}
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return s.path
	}
	return ""
}

// open opens what everything is kept in. notice is told what the operator should
// see to, in one sentence each.
func (s storage) open(ctx context.Context, o sqlstore.Options, notice func(string)) (store.Store, error) {
	rows, err := s.openRows(ctx, o)
	if err != nil {
		return rows, err
	}
	return s.withSessions(ctx, rows, o, notice)
}

// look opens what is there to read it: nothing of it is changed.
func (s storage) look(ctx context.Context, o sqlstore.Options) (store.Store, error) {
	rows, err := sqlstore.OpenToLook(ctx, s.place(), o)
	if err != nil {
		return rows, err
	}
	return s.withSessions(ctx, rows, o, func(string) {})
}

// withSessions adds the place for sessions, where that is apart.
func (s storage) withSessions(ctx context.Context, rows store.Store, o sqlstore.Options, notice func(string)) (store.Store, error) {
	if s.sessions.URL.Empty() {
		return rows, nil
	}
	s.sessions.Now, s.sessions.Observe = o.Now, o.Observe
	sessions, err := redisstore.Open(ctx, s.sessions)
	if err != nil {
		return store.Store{}, errors.Join(err, rows.Close())
	}
	for _, text := range sessions.Notices() {
		notice(text)
	}
	return splitstore.New(rows, sessions), nil
}

func (s storage) openRows(ctx context.Context, o sqlstore.Options) (store.Store, error) {
	if s.engine == engineSQLite {
		return sqlstore.OpenSQLite(ctx, s.path, o)
	}
	o.MaxConns = s.maxConnections
	return sqlstore.OpenPostgres(ctx, s.url.Reveal(), o)
}
