package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
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
	s := &survey{plain: len(srv.TLSConnPolicies) == 0}
	s.routes(srv.Routes, false)
	if s.err != nil {
		return fmt.Errorf("server %s (%s): %w", name, strings.Join(srv.Listen, ", "), s.err)
	}
	if s.unguarded > 0 {
		a.state.log.Warn("an upstream can be reached with no gatehouse before it",
			zap.String("server", name), zap.Strings("listen", srv.Listen), zap.Int("upstreams", s.unguarded))
	}
	if len(s.guards) > 0 {
		a.warnOfLogs(name, srv, s.guards)
	}
	return nil
}

// warnOfLogs says which logs of a server would show a credential.
func (a *App) warnOfLogs(name string, srv *caddyhttp.Server, guards []*Handler) {
	var headers, params []string
	for _, g := range guards {
		headers = append(headers, g.site.Chain().Headers()...)
		params = append(params, g.site.Chain().Queries()...)
	}
	request := markedRequest(headers, params, srv.Logs != nil && srv.Logs.ShouldLogCredentials)
	if logs := showingLogs(a.state.ctx, loggersOf(srv), request); len(logs) > 0 {
		a.state.log.Warn("a log would show credentials: give it the format gatehouse",
			zap.String("server", name), zap.Strings("requests_of", logs))
	}
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

// survey walks the routes of one server.
type survey struct {
	plain     bool
	guards    []*Handler
	unguarded int
	err       error
}

// routes walks a list of routes. guarded says that a guard stands before all
// of them; it returns whether one stands before what comes after.
func (s *survey) routes(list caddyhttp.RouteList, guarded bool) bool {
	for i := range list {
		after := s.handlers(list[i].Handlers, guarded)
		if len(list[i].MatcherSets) == 0 {
			guarded = guarded || after
		}
	}
	return guarded
}

func (s *survey) handlers(list []caddyhttp.MiddlewareHandler, guarded bool) bool {
	for _, h := range list {
		switch h := h.(type) {
		case *Handler:
			s.guard(h)
			guarded = true
		case *caddyhttp.Subroute:
			guarded = s.routes(h.Routes, guarded) || guarded
		default:
			guarded = s.other(h, guarded)
		}
	}
	return guarded
}

func (s *survey) guard(h *Handler) {
	s.guards = append(s.guards, h)
	if queries := h.site.Chain().Queries(); s.plain && len(queries) > 0 && !h.InsecureHTTP && s.err == nil {
		s.err = fmt.Errorf("credentials in the query (%s) without TLS: they would stand in every log on the way; "+
			"serve this site over https, or say insecure_http where TLS ends in front of this server",
			strings.Join(queries, ", "))
	}
}

func (s *survey) other(h caddyhttp.MiddlewareHandler, guarded bool) bool {
	m, ok := h.(caddy.Module)
	if !ok {
		return guarded
	}
	switch m.CaddyModule().ID {
	case "http.handlers.authentication":
		return true
	case "http.handlers.reverse_proxy":
		if !guarded {
			s.unguarded++
		}
	}
	return guarded
}
