package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// Provision builds the guard. It answers once the app's store is open.
func (h *Handler) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	cfg, err := h.build(ctx)
	if err != nil {
		return err
	}
	if h.site, err = gateway.New(cfg); err != nil {
		return err
	}
	chain := h.site.Chain()
	if err := registerCredentialNames(chain.Headers(), chain.Queries()); err != nil {
		return err
	}
	app.add(h.site)
	return nil
}

// appOf returns the gatehouse app, with its defaults where none is configured.
func appOf(ctx caddy.Context) (*App, error) {
	v, err := ctx.App("gatehouse")
	if err != nil {
		return nil, fmt.Errorf("the gatehouse app: %w", err)
	}
	return v.(*App), nil
}

// ServeHTTP answers a login call, refuses, or hands on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.site.ServeHTTP(w, r, next.ServeHTTP)
}

// build turns the configuration into the arguments of a guard.
func (h *Handler) build(ctx caddy.Context) (gateway.Config, error) {
	cfg := gateway.Config{
		Realm: h.Realm, Errors: h.Errors, Observe: h.Mode == modeObserve,
		InsecureHTTP: h.InsecureHTTP, Methods: h.Methods, Hooks: hooks(ctx),
	}
	var err error
	if cfg.Accept, err = specs(h.Accept); err != nil {
		return cfg, err
	}
	for i := range h.Logins {
		l, err := h.Logins[i].build()
		if err != nil {
			return cfg, err
		}
		cfg.Logins = append(cfg.Logins, l)
	}
	if h.Identity != nil {
		cfg.KeepCredentials = h.Identity.KeepCredentials
		if cfg.Fields, err = h.Identity.build(); err != nil {
			return cfg, err
		}
	}
	if h.Rate != nil {
		if cfg.Rate, err = h.Rate.build(); err != nil {
			return cfg, err
		}
	}
	return cfg, h.buildRules(ctx, &cfg)
}

func (h *Handler) buildRules(ctx caddy.Context, cfg *gateway.Config) error {
	for i := range h.Public {
		r, err := h.Public[i].build(ctx)
		if err != nil {
			return fmt.Errorf("public: %w", err)
		}
		cfg.Public = append(cfg.Public, r)
	}
	for i := range h.Require {
		r, err := h.Require[i].build(ctx)
		if err != nil {
			return fmt.Errorf("require: %w", err)
		}
		cfg.Require = append(cfg.Require, r)
	}
	return nil
}

// hooks connects a guard to Caddy.
func hooks(ctx caddy.Context) gateway.Hooks {
	audit := newAuditor(ctx.Logger())
	return gateway.Hooks{
		Address: clientAddress,
		Expand:  expand,
		Attach:  attach,
		Count:   figures.requests.count,
		Audit: func(ctx context.Context, e auth.Event) {
			if e.Kind == auth.LoginEvent {
				figures.countLogin(e.Dialect, e.OK, e.Code)
			}
			audit.write(ctx, e)
		},
	}
}

// check holds a configuration that came as JSON against the rules that the
// Caddyfile parser tells with file and line.
func (h *Handler) check() error {
	if h.Realm != "" {
		if err := checkRealm(h.Realm); err != nil {
			return err
		}
	}
	return cmp.Or(checkMode(h.Mode), checkMethods(h.Methods), h.checkAccept(), h.checkErrors(), h.checkIdentity())
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddy.App                   = (*App)(nil)
	_ caddy.Provisioner           = (*App)(nil)
	_ caddy.CleanerUpper          = (*App)(nil)
)
