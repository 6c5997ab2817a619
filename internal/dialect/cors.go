package dialect

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// anyOrigin stands for every origin in the option cors.
const anyOrigin = "*"

// CORS lets scripts of listed origins make a dialect's calls (the Fetch
// standard, "CORS protocol"). Origins match byte by byte, as browsers write
// them. `null`, which any sandboxed page can claim to be, is never listed.
//
// Access-Control-Allow-Credentials is never sent: it is about what a browser
// adds by itself, cookies above all, and no dialect reads any of that. A
// script that has a token puts it in a field, which Allow-Headers permits. So
// `*` gives a stranger's page no more than a stranger's curl has.
//
// The zero value allows nobody and sets no fields.
type CORS struct {
	origins []string
	headers string
}

// preflightAge is for how many seconds a browser may keep a permission.
const preflightAge = "600"

// NewCORS returns what allows these origins (`scheme://host[:port]`, or `*`
// alone) to send these request fields beside the safelisted ones.
func NewCORS(origins []string, headers ...string) (CORS, error) {
	for _, o := range origins {
		if o == anyOrigin && len(origins) > 1 {
			return CORS{}, fmt.Errorf("cors: %q stands alone or not at all", o)
		}
		if o != anyOrigin && !isOrigin(o) {
			return CORS{}, fmt.Errorf("cors: %q is no origin: scheme and host in lower case, a port unless it is the scheme's own, nothing else", o)
		}
	}
	return CORS{origins: origins, headers: strings.Join(headers, ", ")}, nil
}

// isOrigin reports whether a browser would write an origin like this.
func isOrigin(o string) bool {
	u, err := url.Parse(o)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || strings.Contains(u.Host, anyOrigin) {
		return false
	}
	ownPort := u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443"
	return !ownPort && !strings.HasSuffix(u.Host, ":") && o == u.Scheme+"://"+strings.ToLower(u.Host)
}

// Answer sets the fields of an answer to r, on a path that serves these
// methods, and answers a preflight of a listed origin. It reports whether it
// did: true means that nothing is left to do. A preflight of another origin is
// left to the caller, who refuses OPTIONS as any method that is not served.
func (c CORS) Answer(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if !c.Allow(w.Header(), r) || !IsPreflight(r) {
		return false
	}
	c.Permit(w, c.headers, methods...)
	return true
}

// Allow sets the fields of an answer to r that let a script read it, and
// reports whether its origin is listed.
func (c CORS) Allow(h http.Header, r *http.Request) bool {
	if len(c.origins) == 0 {
		return false
	}
	if c.origins[0] != anyOrigin && !slices.Contains(h["Vary"], "Origin") {
		h.Add("Vary", "Origin")
	}
	origin, listed := c.match(r.Header)
	if !listed {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if !IsPreflight(r) {
		h.Set("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate")
	}
	return true
}

// Lists reports whether r comes from a script of a listed origin.
func (c CORS) Lists(r *http.Request) bool {
	if len(c.origins) == 0 {
		return false
	}
	_, listed := c.match(r.Header)
	return listed
}

// Permit answers a preflight of a listed origin, whose answer has the fields of
// [CORS.Allow]: these request fields may be sent with these methods.
func (CORS) Permit(w http.ResponseWriter, headers string, methods ...string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", preflightAge)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// IsPreflight reports whether r is how a browser asks before it sends a
// request: it carries no credential.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// match returns what to allow. Two Origin fields are nobody's.
func (c CORS) match(h http.Header) (string, bool) {
	fields := h.Values("Origin")
	if len(fields) != 1 {
		return "", false
	}
	if c.origins[0] == anyOrigin {
		return anyOrigin, true
	}
	return fields[0], slices.Contains(c.origins, fields[0])
}
