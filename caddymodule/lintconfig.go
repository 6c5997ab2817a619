package caddymodule

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/lint"
)

// lintConfig pictures a configuration for package lint. body is its JSON.
func lintConfig(d *dryRun, body []byte, s *source) (*lint.Config, error) {
	doc, err := jsonObject(body)
	if err != nil {
		return nil, err
	}
	c := &lint.Config{Literals: literals(childOf(doc, "apps"), s)}
	if d.http == nil {
		return c, nil
	}
	servers := childOf(childOf(childOf(doc, "apps"), "http"), "servers")
	for _, name := range slices.Sorted(maps.Keys(d.http.Servers)) {
		c.Servers = append(c.Servers, d.lintServer(name, childOf(servers, name), s))
	}
	return c, nil
}

// lintServer pictures one server; raw is what it was made from.
func (d *dryRun) lintServer(name string, raw map[string]any, s *source) lint.Server {
	srv := d.http.Servers[name]
	v := viewOf(srv)
	out := lint.Server{
		Name: name, Listen: srv.Listen, TLS: len(srv.TLSConnPolicies) > 0, Public: isPublic(srv), Routes: v.routes,
		LogsCredentials: srv.Logs != nil && srv.Logs.ShouldLogCredentials,
		LogsAt:          s.placeOf(s.find(global, starting("log_credentials"))),
		Strict:          srv.TrustedProxiesStrict > 0,
		Place:           s.whole(),
	}
	if len(v.guards) > 0 {
		out.LeakingLogs = leakingLogs(d.ctx, srv, v.guards)
	}
	if trusted := texts(childOf(raw, "trusted_proxies")["ranges"]); len(trusted) > 0 {
		out.Trusted = []lint.Trusted{{Prefixes: trusted, Place: s.placeOf(s.find(global, starting("trusted_proxies")))}}
	}
	for i := range out.Routes {
		s.locate(&out.Routes[i], map[*sourceLine]bool{})
	}
	return out
}

func texts(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, one := range list {
		if text, ok := one.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// isPublic reports whether others than this machine may reach a server.
func isPublic(srv *caddyhttp.Server) bool {
	for _, text := range srv.Listen {
		a, err := caddy.ParseNetworkAddress(text)
		if err != nil || a.IsUnixNetwork() || a.IsFdNetwork() {
			continue
		}
		ip, err := netip.ParseAddr(strings.Trim(a.Host, "[]"))
		if a.Host == "" || err != nil && a.Host != "localhost" || err == nil && !ip.IsLoopback() && !ip.IsPrivate() {
			return true
		}
	}
	return false
}

// locate finds the places of what stands in a route at the top. A line that was
// taken for one guard is not taken for another.
func (s *source) locate(site *lint.Route, taken map[*sourceLine]bool) {
	of := ofSite(site.Site)
	if s.find(of, func(*sourceLine) bool { return true }) == nil {
		of = anywhere
	}
	lint.Walk([]lint.Route{*site}, func(h *lint.Handler, _ bool) {
		fits := func(l *sourceLine) bool { return !taken[l] && stands(l, h) }
		l := s.find(of, fits)
		if l == nil {
			l = s.find(named, fits)
		}
		if h.Guard != nil || h.Name == "reverse_proxy" {
			taken[l] = true
		}
		h.Place = s.placeOf(l)
		h.Lines = linesOf(l)
		for _, f := range h.Fields {
			if at := s.find(of, func(l *sourceLine) bool { return setsField(l, f) }); at != nil {
				h.Lines["field "+f.Name] = at.place
			}
		}
	})
}

// stands reports whether a handler could have been made of a line.
func stands(l *sourceLine, h *lint.Handler) bool {
	switch h.Name {
	case "gatehouse":
		return l.words[0] == "gatehouse" && saysAll(l, h.Guard)
	case "reverse_proxy":
		return l.words[0] == "reverse_proxy" || l.words[0] == "php_fastcgi"
	case "forward_auth", "file_server":
		return l.words[0] == h.Name
	case "headers":
		return l.words[0] == "request_header" || l.words[0] == "header"
	}
	return false
}

// saysAll tells guards of one site apart by the logins and public paths.
func saysAll(l *sourceLine, g *lint.Guard) bool {
	lines := linesOf(l)
	for _, login := range g.Logins {
		if _, ok := lines["login "+login.Name]; !ok {
			return false
		}
	}
	for _, rule := range g.Public {
		for _, p := range rule.Paths {
			if _, ok := lines["public "+p]; !ok && !rule.Matcher {
				return false
			}
		}
	}
	return true
}

// linesOf lists the lines inside a block by their first word, and by that with
// each of the others.
func linesOf(l *sourceLine) map[string]lint.Place {
	lines := map[string]lint.Place{}
	if l == nil {
		return lines
	}
	for _, inner := range l.inner {
		for i, word := range inner.words {
			key := inner.words[0]
			if i > 0 {
				key += " " + word
			}
			if _, ok := lines[key]; !ok {
				lines[key] = inner.place
			}
		}
	}
	return lines
}

func setsField(l *sourceLine, f lint.Field) bool {
	if l.words[0] != "header_up" && l.words[0] != "request_header" {
		return false
	}
	return slices.ContainsFunc(l.words[1:], func(word string) bool { return strings.EqualFold(strings.TrimLeft(word, "+?>"), f.Name) })
}

// literals lists the texts that stand in the file, in what configures the
// gateway: the app, its handlers and providers.
func literals(apps map[string]any, s *source) []lint.Literal {
	var all []lint.Literal
	add := func(name string, v any) {
		eachText(name, v, func(name, text string) {
			if !s.written(text) {
				return
			}
			at := s.find(anywhere, func(l *sourceLine) bool {
				return slices.ContainsFunc(l.words, func(w string) bool { return strings.Contains(w, text) })
			})
			all = append(all, lint.Literal{Name: name, Text: text, Place: s.placeOf(at)})
		})
	}
	add("the global option gatehouse", apps["gatehouse"])
	oursIn(apps["http"], func(v map[string]any) { add("gatehouse", v) })
	return all
}

// oursIn visits the objects that configure a handler or provider of ours.
func oursIn(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			oursIn(one, visit)
		}
	case map[string]any:
		if v["handler"] == "gatehouse" {
			visit(v)
			return
		}
		if provider := childOf(childOf(v, "providers"), "gatehouse"); provider != nil {
			visit(provider)
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			oursIn(v[name], visit)
		}
	}
}

// eachText visits the texts in a value, with the names of the members that lead
// to them.
func eachText(name string, v any, visit func(name, text string)) {
	switch v := v.(type) {
	case string:
		visit(name, v)
	case []any:
		for _, one := range v {
			eachText(name, one, visit)
		}
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			eachText(fmt.Sprintf("%s %s", name, member), v[member], visit)
		}
	}
}
