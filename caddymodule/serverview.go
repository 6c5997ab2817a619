package caddymodule

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/gatehouse-auth/gatehouse/internal/lint"
)

// serverView is a server as package lint sees it.
type serverView struct {
	routes []lint.Route
	guards []*Handler
	named  map[string]*caddyhttp.Route
	// asked are the named routes that are under way.
	asked map[string]bool
}

// viewOf reads the routes of a server whose modules are built. Those for
// errors are left out: they answer what was not forwarded.
func viewOf(srv *caddyhttp.Server) *serverView {
	v := &serverView{named: srv.NamedRoutes, asked: map[string]bool{}}
	v.routes = v.list(srv.Routes)
	for i := range v.routes {
		v.routes[i].Site = cmp.Or(hostsOf(v.routes[i].Match), strings.Join(srv.Listen, ", "))
	}
	return v
}

// hostsOf names a route by the hosts that it matches.
func hostsOf(match []map[string]string) string {
	var all []string
	for _, set := range match {
		var hosts []string
		if json.Unmarshal([]byte(set["host"]), &hosts) == nil {
			all = append(all, hosts...)
		}
	}
	return strings.Join(all, ", ")
}

func (v *serverView) list(routes caddyhttp.RouteList) []lint.Route {
	all := make([]lint.Route, len(routes))
	for i := range routes {
		all[i] = v.route(&routes[i])
	}
	return all
}

func (v *serverView) route(r *caddyhttp.Route) lint.Route {
	out := lint.Route{Group: r.Group}
	for _, set := range r.MatcherSets {
		out.Match = append(out.Match, matchersOf(set))
	}
	for _, h := range r.Handlers {
		out.Handlers = append(out.Handlers, v.handler(h))
	}
	return out
}

// matchersOf says what a set of matchers is set to. What cannot be said is not
// like anything else.
func matchersOf(set caddyhttp.MatcherSet) map[string]string {
	out := map[string]string{}
	for _, m := range set {
		module, ok := m.(caddy.Module)
		text, err := json.Marshal(m)
		if !ok || err != nil {
			out[""] = ""
			continue
		}
		out[module.CaddyModule().ID.Name()] = string(text)
	}
	return out
}

func (v *serverView) handler(h caddyhttp.MiddlewareHandler) lint.Handler {
	out := lint.Handler{}
	if m, ok := h.(caddy.Module); ok {
		out.Name = m.CaddyModule().ID.Name()
	}
	switch h := h.(type) {
	case *Handler:
		v.guards = append(v.guards, h)
		out.Guards, out.Guard = true, h.lintGuard()
	case *caddyhttp.Subroute:
		out.Routes = v.list(h.Routes)
	case *caddyhttp.Invoke:
		out.Routes = v.invoked(h.Name)
	case *headers.Handler:
		if h.Request != nil {
			out.Fields = fieldsOf(headerOps{Add: h.Request.Add, Set: h.Request.Set})
		}
	case *reverseproxy.Handler:
		out.Guards = h.Rewrite != nil && isAsking(h.Rewrite.Method, len(h.HandleResponse))
	case *standIn:
		out.Name, out.Guards = h.was.Handler, h.was.asks()
		out.Fields, out.Trusted = fieldsOf(h.was.Headers.Request), h.was.TrustedProxies
	}
	if out.Name == "reverse_proxy" && out.Guards {
		out.Name = "forward_auth"
	}
	out.Guards = out.Guards || out.Name == "authentication"
	return out
}

// invoked returns the named route that a handler leads to, nil where it leads
// back into itself.
func (v *serverView) invoked(name string) []lint.Route {
	r := v.named[name]
	if r == nil || v.asked[name] {
		return nil
	}
	v.asked[name] = true
	defer delete(v.asked, name)
	return []lint.Route{v.route(r)}
}

func fieldsOf(ops headerOps) []lint.Field {
	var fields []lint.Field
	for _, set := range []map[string][]string{ops.Add, ops.Set} {
		for name, values := range set {
			for _, value := range values {
				fields = append(fields, lint.Field{Name: name, Value: value})
			}
		}
	}
	return fields
}

// lintGuard says what a gateway allows.
func (h *Handler) lintGuard() *lint.Guard {
	g := &lint.Guard{
		Queries: h.site.Chain().Queries(), InsecureHTTP: h.InsecureHTTP, Debug: h.Debug, Observe: h.Mode == modeObserve,
	}
	for i := range h.Public {
		g.Public = append(g.Public, h.Public[i].selection())
	}
	for i := range h.Require {
		g.Require = append(g.Require, h.Require[i].selection())
	}
	for i := range h.Logins {
		g.Logins = append(g.Logins, h.Logins[i].lintLogin())
	}
	return g
}

func (r *Rule) selection() lint.Selection {
	return lint.Selection{Paths: slices.Concat(r.matched, r.Paths), Matcher: r.matches}
}

func (l *Login) lintLogin() lint.Login {
	out := lint.Login{Name: l.Dialect}
	built, err := l.build()
	if err != nil {
		return out // it was built before, and said so
	}
	routes, err := built.Routes()
	if err != nil {
		return out
	}
	for _, r := range routes {
		out.Paths = append(out.Paths, r.Path)
	}
	return out
}
