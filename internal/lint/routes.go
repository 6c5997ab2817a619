package lint

import (
	"encoding/json"
	"slices"
	"strings"
)

// Walk visits the handlers of routes in order, and says of each whether a guard
// stands before it. A guard that stands behind a matcher guards what follows
// behind the same matcher, or a narrower one.
func Walk(routes []Route, visit func(h *Handler, guarded bool)) { walk(routes, false, visit) }

// walk returns whether a guard stands before what comes after the routes.
func walk(list []Route, guarded bool, visit func(*Handler, bool)) bool {
	var covered []Route
	holes := map[string]bool{} // groups with a route that does not guard
	for i := range list {
		r := &list[i]
		after := walkHandlers(r.Handlers, guarded || r.coveredBy(covered), visit)
		switch {
		case !after:
			holes[r.Group] = r.Group != ""
		case holes[r.Group]: // another of the group may have been taken
		case len(r.Match) == 0:
			guarded = true
		default:
			covered = append(covered, *r)
		}
	}
	return guarded
}

func walkHandlers(list []Handler, guarded bool, visit func(*Handler, bool)) bool {
	for i := range list {
		h := &list[i]
		visit(h, guarded)
		guarded = walk(h.Routes, guarded, visit) || guarded || h.Guards
	}
	return guarded
}

// coveredBy reports whether every request that the route takes was taken by one
// of these routes too.
func (r *Route) coveredBy(others []Route) bool {
	return len(r.Match) > 0 && !slices.ContainsFunc(r.Match, func(narrow map[string]string) bool {
		return !slices.ContainsFunc(others, func(o Route) bool {
			return slices.ContainsFunc(o.Match, func(wide map[string]string) bool { return covers(wide, narrow) })
		})
	})
}

// covers reports whether what matches narrow matches wide.
func covers(wide, narrow map[string]string) bool {
	for name, value := range wide {
		other, ok := narrow[name]
		if !ok || other != value && (name != "path" || !coversPaths(value, other)) {
			return false
		}
	}
	return true
}

// coversPaths compares two lists of patterns of Caddy's path matcher, in JSON.
func coversPaths(wide, narrow string) bool {
	var a, b []string
	if json.Unmarshal([]byte(wide), &a) != nil || json.Unmarshal([]byte(narrow), &b) != nil {
		return false
	}
	return !slices.ContainsFunc(b, func(n string) bool {
		return !slices.ContainsFunc(a, func(w string) bool { return coversPath(w, n) })
	})
}

// coversPath knows patterns that end in a `*`; others only cover themselves.
func coversPath(wide, narrow string) bool {
	wide, narrow = strings.ToLower(wide), strings.ToLower(narrow)
	prefix, ok := strings.CutSuffix(wide, "*")
	plain := !strings.ContainsAny(prefix, "*%{") && !strings.Contains(prefix, "//")
	return wide == narrow || ok && plain && strings.HasPrefix(narrow, prefix) && !strings.ContainsAny(narrow, "%{")
}

// each visits the handlers of every server; site is the name of the route at
// the top in which they stand, and beside says that there is a guard of ours in
// it too.
func (c *Config) each(visit func(s *Server, site string, beside bool, h *Handler, guarded bool)) {
	for i := range c.Servers {
		s := &c.Servers[i]
		sites, beside := map[*Handler]string{}, map[string]bool{}
		for j := range s.Routes {
			Walk(s.Routes[j:j+1], func(h *Handler, _ bool) {
				sites[h] = s.Routes[j].Site
				beside[s.Routes[j].Site] = beside[s.Routes[j].Site] || h.Guard != nil
			})
		}
		Walk(s.Routes, func(h *Handler, guarded bool) { visit(s, sites[h], beside[sites[h]], h, guarded) })
	}
}

// guards visits the guards of every server.
func (c *Config) guards(visit func(s *Server, site string, h *Handler, g *Guard)) {
	c.each(func(s *Server, site string, _ bool, h *Handler, _ bool) {
		if h.Guard != nil {
			visit(s, site, h, h.Guard)
		}
	})
}
