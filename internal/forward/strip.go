package forward

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// Strip removes from a request what a client has no say in: identity fields,
// fields that make an upstream read another method or path, HTTP2-Settings,
// h2c in Upgrade, mentions of these and of protected fields in Connection and
// Trailer; from the trailers protected fields too. It allocates only where
// something is removed from a list, or the request may bring trailers.
//
// The body is wrapped where trailers may follow it: they arrive after this
// call, at its end, and an HTTP/1 server adds those nobody announced.
func (f *Fields) Strip(r *http.Request) {
	f.StripHeader(r.Header)
	if r.Trailer == nil && len(r.TransferEncoding) == 0 {
		return
	}
	f.stripTrailer(r.Trailer)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &trailing{r.Body, r, f}
	}
}

// StripHeader is [Fields.Strip] for the header alone.
func (f *Fields) StripHeader(h http.Header) {
	for name := range h {
		if f.touched.may(name) {
			f.stripField(h, name)
		}
	}
}

func (f *Fields) stripField(h http.Header, name string) {
	switch {
	case f.removed.has(name):
		delete(h, name)
	case sameName(name, "connection"), sameName(name, "trailer"):
		dropTokens(h, name, f.protected.has)
	case sameName(name, "upgrade"):
		dropTokens(h, name, isH2C)
	}
}

// isH2C tells the upgrade to HTTP/2 in the clear, behind which requests reach
// an upstream that nobody has seen (RFC 9113 section 3.1 has withdrawn it).
func isH2C(protocol string) bool { return strings.EqualFold(protocol, "h2c") }

func (f *Fields) stripTrailer(h http.Header) {
	for name := range h {
		if f.protected.has(name) {
			delete(h, name)
		}
	}
}

// dropTokens takes the members that drop names out of a list field, and
// deletes the field where none is left.
func dropTokens(h http.Header, name string, drop func(string) bool) {
	if !hasToken(h[name], drop) {
		return
	}
	var left []string
	for _, list := range h[name] {
		for token := range strings.SplitSeq(list, ",") {
			if token = trim(token); token != "" && !drop(token) {
				left = append(left, token)
			}
		}
	}
	if len(left) == 0 {
		delete(h, name)
		return
	}
	h[name] = []string{strings.Join(left, ", ")}
}

func hasToken(lists []string, match func(string) bool) bool {
	return slices.ContainsFunc(lists, func(list string) bool {
		for rest := list; rest != ""; {
			var token string
			token, rest, _ = strings.Cut(rest, ",")
			if match(trim(token)) {
				return true
			}
		}
		return false
	})
}

func trim(token string) string { return strings.Trim(token, " \t") }

// trailing is a body that cleans the trailers when they have arrived.
type trailing struct {
	io.ReadCloser
	request *http.Request // its trailers are shared by copies of it
	fields  *Fields
}

// Read cleans at the end of the body, before the reader learns of the end.
func (t *trailing) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil {
		t.fields.stripTrailer(t.request.Trailer)
	}
	return n, err
}
