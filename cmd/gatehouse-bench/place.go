package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/splitstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// place is where everything is kept while it is measured.
type place struct {
	name string
	// lines configure it in a Caddyfile.
	lines []string
	open  func(context.Context) (store.Store, error)
	// size tells what the sessions take, in the same order each time.
	size func(context.Context) ([]size, error)
}

// size is so many bytes of something.
type size struct {
	of    string
	bytes int64
}

// newPlace is a store that exists at a url, or one below dir or in a server that
// is started for it.
func newPlace(h *harness, where, dir, url string, settings []string) (place, error) {
	file := filepath.Join(dir, "gatehouse.db")
	switch where {
	case "sqlite":
		if url != "" || len(settings) > 0 {
			return place{}, errors.New("sqlite is a file of this program's own, without url and settings")
		}
		return sqlitePlace(file), nil
	case "postgres":
		err := h.attempt(func() {
			if url == "" {
				url = testserver.Postgres(h, settings...).DSN()
			}
		})
		return postgresPlace(url), err
	case "redis":
		err := h.attempt(func() {
			if url == "" {
				url = testserver.Redis(h, append([]string{"appendfsync always"}, settings...)...).URL()
			}
		})
		return redisPlace(file, url), err
	}
	return place{}, fmt.Errorf("there is no store %q: it can be sqlite, postgres or redis", where)
}

func sqlitePlace(file string) place {
	return place{
		name: "SQLite", lines: []string{"store sqlite " + file},
		open: func(ctx context.Context) (store.Store, error) { return openSQLite(ctx, file) },
		size: func(context.Context) ([]size, error) {
			var all int64
			for _, end := range []string{"", "-wal"} {
				info, err := os.Stat(file + end)
				if err != nil {
					return nil, err
				}
				all += info.Size()
			}
			return []size{{"disk: the file and its log", all}}, nil
		},
	}
}

func openSQLite(ctx context.Context, file string) (store.Store, error) {
	return sqlstore.OpenSQLite(ctx, file, sqlstore.Options{Now: time.Now})
}

func postgresPlace(url string) place {
	return place{
		name: "PostgreSQL", lines: []string{"store postgres " + strconv.Quote(url)},
		open: func(ctx context.Context) (store.Store, error) {
			return sqlstore.OpenPostgres(ctx, url, sqlstore.Options{Now: time.Now})
		},
		size: func(ctx context.Context) (all []size, err error) {
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, conn.Close(ctx)) }()
			var whole, indexes int64
			err = conn.QueryRow(ctx, "SELECT pg_database_size(current_database()), pg_indexes_size('sessions')").Scan(&whole, &indexes)
			return []size{{"disk: the database", whole}, {"of which indexes of sessions", indexes}}, err
		},
	}
}

func redisPlace(file, url string) place {
	return place{
		name: "Redis, accounts in SQLite", lines: []string{"store sqlite " + file, "sessions redis " + strconv.Quote(url)},
		open: func(ctx context.Context) (store.Store, error) {
			rows, err := openSQLite(ctx, file)
			if err != nil {
				return rows, err
			}
			sessions, err := redisstore.Open(ctx, redisstore.Options{URL: auth.NewSecret(url), Now: time.Now})
			if err != nil {
				return store.Store{}, errors.Join(err, rows.Close())
			}
			return splitstore.New(rows, sessions), nil
		},
		size: func(ctx context.Context) ([]size, error) { return redisSize(ctx, url) },
	}
}

// redisSize asks the server what it holds.
func redisSize(ctx context.Context, url string) ([]size, error) {
	o, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	text, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return nil, err
	}
	info := map[string]int64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name], _ = strconv.ParseInt(value, 10, 64) // what is no number is not asked for
	}
	return []size{
		{"memory: used_memory", info["used_memory"]},
		{"memory: resident", info["used_memory_rss"]},
		{"disk: the append-only file", info["aof_current_size"]},
	}, nil
}

// empty refuses a store that somebody uses.
func (p place) empty(ctx context.Context, s store.Store) error {
	accounts, err := s.Accounts.ListAccounts(ctx, gateway.DefaultRealm, store.Page{Limit: 1})
	if err != nil {
		return err
	}
	_, sessions, err := s.Sessions.FindSessions(ctx, gateway.DefaultRealm, store.SessionQuery{Page: store.Page{Limit: 1}})
	if err != nil {
		return err
	}
	if len(accounts) > 0 || sessions > 0 {
		return errors.New("the store is in use: this needs an empty one, since it fills it")
	}
	return nil
}
