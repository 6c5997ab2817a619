package lint

import (
	"slices"
	"strings"
)

// publicPaths visits the patterns of the public rules of every guard.
func (c *Config) publicPaths(visit func(site string, h *Handler, path string)) {
	c.guards(func(_ *Server, site string, h *Handler, g *Guard) {
		for _, r := range g.Public {
			for _, p := range r.Paths {
				visit(site, h, p)
			}
		}
	})
}

func publicEverything(c *Config, found report) {
	c.publicPaths(func(site string, h *Handler, p string) {
		closed := slices.ContainsFunc(h.Guard.Require, isOfAll)
		if isAll(p) && !closed {
			found(h.at("public "+p), "on %s public %s opens every path", site, p)
		}
	})
}

func publicEnding(c *Config, found report) {
	c.publicPaths(func(site string, h *Handler, p string) {
		if isEnding(p) {
			found(h.at("public "+p), "on %s public %s opens /admin/x%s too", site, p, p[1:])
		}
	})
}

// isOfAll reports whether a selection is of all requests.
func isOfAll(s Selection) bool {
	return len(s.Paths) == 0 && !s.Matcher || slices.ContainsFunc(s.Paths, isAll)
}

// required visits the patterns of requirements.
func required(h *Handler, visit func(path string)) {
	for _, q := range h.Guard.Require {
		if isOfAll(q) {
			visit("/*")
			continue
		}
		for _, p := range q.Paths {
			visit(p)
		}
	}
}

func publicUnderRequire(c *Config, found report) {
	c.publicPaths(func(site string, h *Handler, p string) {
		required(h, func(q string) {
			if within(p, q) {
				found(h.at("public "+p), "on %s public %s is under require %s, which wins", site, p, q)
			}
		})
	})
}

func requireUnderPublic(c *Config, found report) {
	c.publicPaths(func(site string, h *Handler, p string) {
		required(h, func(q string) {
			if within(q, p) && !within(p, q) {
				found(h.at("public "+p), "on %s public %s opens all around require %s", site, p, q)
			}
		})
	})
}

func publicOverLogin(c *Config, found report) {
	c.publicPaths(func(site string, h *Handler, p string) {
		for _, l := range h.Guard.Logins {
			if i := slices.IndexFunc(l.Paths, func(path string) bool { return within(path, p) }); i >= 0 && !isAll(p) {
				found(h.at("public "+p), "on %s public %s covers %s, which login %s answers", site, p, l.Paths[i], l.Name)
			}
		}
	})
}

func queryWithoutTLS(c *Config, found report) {
	c.guards(func(s *Server, site string, h *Handler, g *Guard) {
		if !s.TLS && len(g.Queries) > 0 && !g.InsecureHTTP {
			found(h.Place, "%s takes credentials in the query (%s) without TLS", site, strings.Join(g.Queries, ", "))
		}
	})
}

func insecureHTTP(c *Config, found report) {
	c.guards(func(_ *Server, site string, h *Handler, g *Guard) {
		if g.InsecureHTTP && len(g.Queries) > 0 {
			found(h.at("insecure_http"), "%s takes credentials in the query (%s) without TLS, as insecure_http says",
				site, strings.Join(g.Queries, ", "))
		}
	})
}

func modeObserve(c *Config, found report) {
	c.guards(func(_ *Server, site string, h *Handler, g *Guard) {
		if g.Observe {
			found(h.at("mode observe"), "%s refuses nothing, as mode observe says", site)
		}
	})
}

func debug(c *Config, found report) {
	c.guards(func(_ *Server, site string, h *Handler, g *Guard) {
		if g.Debug {
			found(h.at("debug"), "%s tells everyone why a request was refused", site)
		}
	})
}
