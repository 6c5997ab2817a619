package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/internal/lint"
)

// checkExposure looks at the servers around the guards, once they are all
// built. Credentials in the query of a server without TLS refuse the start; an
// upstream with no guard before it, and a log that would show credentials, are
// warnings.
func (a *App) checkExposure() error {
	v, _ := a.state.ctx.AppIfConfigured("http") // an error says that there is none
	app, ok := v.(*caddyhttp.App)
	if !ok {
		return nil // nothing is exposed
	}
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		if err := a.checkServer(name, app.Servers[name]); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) checkServer(name string, srv *caddyhttp.Server) error {
	v := viewOf(srv)
	for _, g := range v.guards {
		if err := g.checkCleartext(srv); err != nil {
			return fmt.Errorf("server %s (%s): %w", name, strings.Join(srv.Listen, ", "), err)
		}
	}
	unguarded := 0
	lint.Walk(v.routes, func(h *lint.Handler, guarded bool) {
		if h.Name == "reverse_proxy" && !guarded {
			unguarded++
		}
	})
	if unguarded > 0 {
		a.state.log.Warn("an upstream can be reached with no gatehouse before it",
			zap.String("server", name), zap.Strings("listen", srv.Listen), zap.Int("upstreams", unguarded))
	}
	if len(v.guards) > 0 {
		a.warnOfLogs(name, srv, v.guards)
	}
	return nil
}

// checkCleartext refuses credentials in the query of a server without TLS.
func (h *Handler) checkCleartext(srv *caddyhttp.Server) error {
	queries := h.site.Chain().Queries()
	if len(srv.TLSConnPolicies) > 0 || len(queries) == 0 || h.InsecureHTTP {
		return nil
	}
	return fmt.Errorf("credentials in the query (%s) without TLS: they would stand in every log on the way; "+
		"serve this site over https, or say insecure_http where TLS ends in front of this server",
		strings.Join(queries, ", "))
}

// warnOfLogs says which logs of a server would show a credential.
func (a *App) warnOfLogs(name string, srv *caddyhttp.Server, guards []*Handler) {
	if logs := leakingLogs(a.state.ctx, srv, guards); len(logs) > 0 {
		a.state.log.Warn("a log would show credentials: give it the format gatehouse",
			zap.String("server", name), zap.Strings("requests_of", logs))
	}
}

// leakingLogs lists the loggers whose requests some log would show with a
// credential.
func leakingLogs(ctx caddy.Context, srv *caddyhttp.Server, guards []*Handler) []string {
	var headers, params []string
	for _, g := range guards {
		headers = append(headers, g.site.Chain().Headers()...)
		params = append(params, g.site.Chain().Queries()...)
	}
	request := markedRequest(headers, params, srv.Logs != nil && srv.Logs.ShouldLogCredentials)
	return showingLogs(ctx, loggersOf(srv), request)
}

// loggersOf lists the loggers that show requests of a server.
func loggersOf(srv *caddyhttp.Server) []string {
	names := slices.DeleteFunc(slices.Clone(requestLoggers), func(id string) bool {
		return id == accessLogger && srv.Logs == nil
	})
	if srv.Logs == nil {
		return names
	}
	for _, list := range srv.Logs.LoggerNames {
		for _, n := range list {
			if n != "" {
				names = append(names, accessLogger+"."+n)
			}
		}
	}
	if n := srv.Logs.DefaultLoggerName; n != "" {
		names = append(names, accessLogger+"."+n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

const accessLogger = "http.log.access"
