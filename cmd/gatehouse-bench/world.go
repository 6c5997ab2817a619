package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// world is what is measured: an upstream and two proxies in front of it, each
// a process of its own, and tokens that the guard accepts.
type world struct {
	folder        string
	upstream      *proxy
	bare, guarded *proxy
	tokens        []string
}

// caddyfile takes the global block and the guard, both empty for the proxy
// without one, and the upstream.
const caddyfile = `{
	admin off
	persist_config off
	auto_https off
	log {
		level ERROR
		format gatehouse
	}
%s}
http://127.0.0.1:{$PORT} {
%s	reverse_proxy %s
}
`

func newWorld(ctx context.Context, tokens int) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.folder, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return w, err
	}
	db := filepath.Join(w.folder, "gatehouse.db")
	if w.tokens, err = makeTokens(ctx, db, tokens); err != nil {
		return w, err
	}
	if w.upstream, err = startProxy(ctx, w.folder, "upstream", ""); err != nil {
		return w, err
	}
	if w.bare, err = w.start(ctx, "", ""); err != nil {
		return w, err
	}
	w.guarded, err = w.start(ctx, fmt.Sprintf("\tgatehouse {\n\t\tstore sqlite %s\n\t}\n", db),
		"\tgatehouse {\n\t\taccept bearer api_key\n\t}\n")
	return w, err
}

func (w *world) start(ctx context.Context, global, site string) (*proxy, error) {
	return startProxy(ctx, w.folder, "serve", fmt.Sprintf(caddyfile, global, site, w.upstream.address))
}

func (w *world) close() {
	for _, p := range []*proxy{w.guarded, w.bare, w.upstream} {
		if p != nil {
			p.stop()
		}
	}
	if w.folder != "" {
		_ = os.RemoveAll(w.folder)
	}
}

// makeTokens fills a store with one account and its tokens.
func makeTokens(ctx context.Context, path string, n int) (tokens []string, err error) {
	rows, err := sqlstore.OpenSQLite(ctx, path, sqlstore.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	a := admin.Admin{Store: rows, Hasher: password.New(password.Options{}), Now: time.Now, Realm: gateway.DefaultRealm}
	if _, err := a.AddAccount(ctx, admin.NewAccount{Username: "bench", Roles: []string{"reader"}}); err != nil {
		return nil, err
	}
	for range n {
		_, text, err := a.CreateToken(ctx, "bench", "", time.Hour)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, text.Reveal())
	}
	return tokens, nil
}
