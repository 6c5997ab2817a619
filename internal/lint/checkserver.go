package lint

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

func upstreamBesideGuard(c *Config, found report) {
	c.each(func(_ *Server, site string, beside bool, h *Handler, guarded bool) {
		if h.Name == "reverse_proxy" && !guarded && beside {
			found(h.Place, "on %s an upstream can be reached with no gatehouse before it", site)
		}
	})
}

func upstreamWithoutGuard(c *Config, found report) {
	c.each(func(_ *Server, site string, beside bool, h *Handler, guarded bool) {
		if h.Name == "reverse_proxy" && !guarded && !beside {
			found(h.Place, "%s forwards to an upstream and has no gatehouse", site)
		}
	})
}

func filesBesideGuard(c *Config, found report) {
	c.each(func(_ *Server, site string, beside bool, h *Handler, guarded bool) {
		if h.Name == "file_server" && !guarded && beside {
			found(h.Place, "on %s files are served with no gatehouse before them", site)
		}
	})
}

// fromClient finds a placeholder that a client fills: a header field, a
// parameter or a cookie. Its first group is the name of a field.
var fromClient = regexp.MustCompile(`\{http\.request\.(?:header\.([^{}]*)|uri\.query[^{}]*|cookie\.[^{}]*)\}`)

// fold makes one of the spellings of a field's name that servers confuse.
func fold(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

func isIdentity(name string) bool { return strings.HasPrefix(fold(name), "x-auth-") }

// isForged reports whether a value holds what a client says. Behind a guard the
// identity fields of a request are the guard's own.
func isForged(value string, guarded bool) bool {
	for _, m := range fromClient.FindAllStringSubmatch(value, -1) {
		if !guarded || !isIdentity(m[1]) {
			return true
		}
	}
	return false
}

// identityFields visits the identity fields that are set by hand.
func (c *Config) identityFields(visit func(site string, h *Handler, f Field, forged bool)) {
	c.each(func(_ *Server, site string, _ bool, h *Handler, guarded bool) {
		for _, f := range h.Fields {
			if isIdentity(f.Name) {
				visit(site, h, f, isForged(f.Value, guarded))
			}
		}
	})
}

func identityFromClient(c *Config, found report) {
	c.identityFields(func(site string, h *Handler, f Field, forged bool) {
		if forged {
			found(h.at("field "+f.Name), "on %s the upstream is told %s as the client says it", site, f.Name)
		}
	})
}

func identityByHand(c *Config, found report) {
	c.identityFields(func(site string, h *Handler, f Field, forged bool) {
		if !forged {
			found(h.at("field "+f.Name), "on %s the upstream is told %s by hand", site, f.Name)
		}
	})
}

// trusted visits the lists of trusted proxies, of servers and of handlers.
func (c *Config) trusted(visit func(s *Server, prefixes []string, at Place)) {
	for i := range c.Servers {
		s := &c.Servers[i]
		for _, t := range s.Trusted {
			visit(s, t.Prefixes, t.Place)
		}
		Walk(s.Routes, func(h *Handler, _ bool) { visit(s, h.Trusted, h.at("trusted_proxies")) })
	}
}

// isEverybody reports whether a prefix is one of all addresses, or of half of
// them.
func isEverybody(text string) bool {
	p, err := netip.ParsePrefix(text)
	return err == nil && p.Bits() <= 1
}

func trustedEverybody(c *Config, found report) {
	c.trusted(func(s *Server, prefixes []string, at Place) {
		if i := slices.IndexFunc(prefixes, isEverybody); i >= 0 {
			found(at, "on server %s (%s) %s is trusted to say where a client is", s.Name, strings.Join(s.Listen, ", "), prefixes[i])
		}
	})
}

func trustedPrivate(c *Config, found report) {
	c.trusted(func(s *Server, prefixes []string, at Place) {
		if s.Public && slices.Contains(prefixes, "10.0.0.0/8") && slices.Contains(prefixes, "192.168.0.0/16") {
			found(at, "on server %s (%s) all private addresses are trusted to say where a client is", s.Name, strings.Join(s.Listen, ", "))
		}
	})
}

func trustedFirstHop(c *Config, found report) {
	for _, s := range c.Servers {
		if len(s.Trusted) > 0 && !s.Strict {
			found(s.Trusted[0].Place, "on server %s (%s) the first address in X-Forwarded-For counts, which any client can write",
				s.Name, strings.Join(s.Listen, ", "))
		}
	}
}

func secretInFile(c *Config, found report) {
	for _, l := range c.Literals {
		if looksSecret(l.Text) {
			found(l.Place, "the value of %s seems to be a secret (%d characters)", l.Name, len(l.Text))
		}
	}
}

func logShowsCredentials(c *Config, found report) {
	for _, s := range c.Servers {
		if len(s.LeakingLogs) > 0 {
			found(s.Place, "a log would show the credentials of requests to server %s (%s): that of %s",
				s.Name, strings.Join(s.Listen, ", "), strings.Join(s.LeakingLogs, ", "))
		}
	}
}

func logCredentials(c *Config, found report) {
	for i := range c.Servers {
		s := &c.Servers[i]
		guarded := false
		Walk(s.Routes, func(h *Handler, _ bool) { guarded = guarded || h.Guard != nil })
		if s.LogsCredentials && guarded {
			found(s.LogsAt, "the access log of server %s (%s) shows what Caddy hides by itself", s.Name, strings.Join(s.Listen, ", "))
		}
	}
}
