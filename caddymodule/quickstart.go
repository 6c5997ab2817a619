package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// demoUser is the account that a first quickstart makes.
const demoUser = "demo"

// demo is what quickstart shows: a guarded site, and the secrets of the demo
// account where they were made just now.
type demo struct {
	site     string // e.g. http://localhost:8080
	handler  *Handler
	password auth.Secret
	key      auth.Secret
}

// startQuickstart runs a Caddyfile and prints what to try. When it returns,
// Caddy is running; the caller waits and stops it.
func startQuickstart(ctx context.Context, path string, out io.Writer) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s here: run this in a clone of the repository, or name a Caddyfile with --config", path)
	}
	if err != nil {
		return fmt.Errorf("reading the Caddyfile: %w", err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": path})
	if err != nil {
		return err
	}
	if err := portsFree(ctx, config); err != nil {
		return err
	}
	if err := caddy.Load(config, true); err != nil {
		return startError(err)
	}
	d, app, err := findDemo()
	if err == nil {
		err = app.fillDemo(ctx, d)
	}
	if err != nil {
		return errors.Join(err, caddy.Stop())
	}
	return d.print(out)
}

// inUse finds the address in the text of an error: Caddy does not wrap it.
var inUse = regexp.MustCompile(`listen \w+ (\S+): bind: address already in use`)

// steps are what Caddy puts before the reason that our app cannot start.
var steps = regexp.MustCompile(`^loading (new|initial) config: (loading )?gatehouse app module: (start|provision gatehouse): `)

// startError makes one sentence of the reasons that a first start fails for
// most.
func startError(err error) error {
	if m := inUse.FindStringSubmatch(err.Error()); m != nil {
		return taken(m[1])
	}
	if before := steps.FindString(err.Error()); before != "" {
		return errors.New(strings.TrimPrefix(err.Error(), before))
	}
	return err
}

func taken(address string) error {
	return fmt.Errorf("another program listens on %s: end it, or change the port in the Caddyfile", address)
}

// findDemo returns the first guard of the running configuration that answers
// logins, and the app behind it.
func findDemo() (*demo, *App, error) {
	ctx := caddy.ActiveContext()
	v, err := ctx.AppIfConfigured("http")
	if err != nil {
		return nil, nil, errors.New("this configuration serves nothing over HTTP")
	}
	for _, srv := range v.(*caddyhttp.App).Servers {
		for _, g := range viewOf(srv).guards {
			if len(g.Logins) > 0 {
				app, err := appOf(ctx)
				return &demo{site: siteOf(srv), handler: g}, app, err
			}
		}
	}
	return nil, nil, errors.New("this configuration has no gatehouse with a login")
}

// siteOf returns the address of a server as someone on this machine sees it.
func siteOf(srv *caddyhttp.Server) string {
	scheme, port := "http", ""
	if len(srv.TLSConnPolicies) > 0 {
		scheme = "https"
	}
	for _, listen := range srv.Listen {
		if a, err := caddy.ParseNetworkAddress(listen); err == nil {
			port = fmt.Sprint(a.StartPort)
			break
		}
	}
	return scheme + "://" + net.JoinHostPort("localhost", port)
}

// fillDemo makes the demo account and its key in a store without accounts.
func (a *App) fillDemo(ctx context.Context, d *demo) error {
	rt := a.state.shared.runtime()
	ad := &admin.Admin{Store: rt.Store, Hasher: rt.Hasher, Now: rt.Now, Realm: d.handler.site.Realm()}
	some, err := rt.Store.Accounts.ListAccounts(ctx, ad.Realm, store.Page{Limit: 1})
	if err != nil || len(some) > 0 {
		return err
	}
	password := auth.NewSecret(strings.TrimPrefix(token.Opaque(token.Random()), token.OpaquePrefix))
	if _, err := ad.AddAccount(ctx, admin.NewAccount{Username: demoUser, Password: password, Roles: []string{"user"}}); err != nil {
		return fmt.Errorf("making the demo account: %s", admin.Text(err))
	}
	_, key, err := ad.CreateKey(ctx, admin.NewKey{Account: demoUser, Name: "quickstart", Permissions: auth.Read | auth.Write})
	if err != nil {
		return fmt.Errorf("making the demo key: %s", admin.Text(err))
	}
	d.password, d.key = password, key
	return nil
}
