package caddymodule

import (
	"context"
	"net/http"
	"slices"

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
	cfg, err := h.build(ctx)
	if err != nil {
		return err
	}
	cfg.Hooks = hooks(ctx)
	if h.site, err = gateway.New(cfg); err != nil {
		return err
	}
	chain := h.site.Chain()
	hidden := chain.Headers()
	if field := h.site.AssertionField(); field != "" {
		hidden = append(slices.Clone(hidden), field)
	}
	if err := registerCredentialNames(hidden, chain.Queries(), h.site.TokenPaths()...); err != nil {
		return err
	}
	app.add(h.site)
	return nil
}

// appOf returns the gatehouse app, with its defaults where none is configured.
func appOf(ctx caddy.Context) (*App, error) {
	v, err := ctx.App("gatehouse")
	if err != nil {
		return nil, err // it names the app
	}
	return v.(*App), nil
}

// ServeHTTP answers a login call, refuses, or hands on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !h.stripsQuery() {
		return h.site.ServeHTTP(w, r, next.ServeHTTP)
	}
	return h.site.ServeHTTP(w, r, func(w http.ResponseWriter, r *http.Request) error {
		h.stripOriginal(r)
		return next.ServeHTTP(w, r)
	})
}

func (h *Handler) stripsQuery() bool {
	keep := h.Identity != nil && h.Identity.KeepCredentials
	return !keep && h.Mode != modeObserve && len(h.site.Chain().Queries()) > 0
}

// stripOriginal takes credentials out of the copy of the request that Caddy
// made when it came in: the FastCGI transport tells its upstream the query of
// that one, and error routes begin again with it.
func (h *Handler) stripOriginal(r *http.Request) {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if ok && original.URL != nil {
		h.site.Chain().Strip(&http.Request{URL: original.URL, Header: http.Header{}})
	}
}

// hooks connects a guard to Caddy.
func hooks(ctx caddy.Context) gateway.Hooks {
	audit := newAuditor(ctx.Logger())
	return gateway.Hooks{
		Address:   clientAddress,
		Expand:    expand,
		Attach:    attach,
		RequestID: requestID,
		Count:     figures.requests.count,
		Audit: func(ctx context.Context, e auth.Event) {
			if e.Kind == auth.LoginEvent {
				figures.countLogin(e.Dialect, e.OK, e.Code)
			}
			audit.write(ctx, e)
		},
	}
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddy.App                   = (*App)(nil)
	_ caddy.Provisioner           = (*App)(nil)
	_ caddy.CleanerUpper          = (*App)(nil)
)
