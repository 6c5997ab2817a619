package gateway

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// addCORS lets scripts of every origin that a login block lists use the guarded
// paths too: whoever may log in may use what that gives.
func (s *Site) addCORS() error {
	var origins []string
	for _, l := range s.cfg.Logins {
		if slices.Equal(l.Config.CORS, []string{"*"}) {
			origins = l.Config.CORS
			break
		}
		origins = append(origins, l.Config.CORS...)
	}
	var err error
	if s.cors, err = dialect.NewCORS(origins); err != nil {
		return fmt.Errorf("login: %w", err) // each block's own origins were checked before
	}
	return nil
}

// asksFirst reports whether a request is a preflight that this guard answers,
// unless its path is public: that one is the upstream's in every respect.
func (s *Site) asksFirst(r *http.Request) bool { return dialect.IsPreflight(r) && s.cors.Lists(r) }

// answerPreflight permits a script to send a request, whatever the path: the
// answer does not tell whether there is one. The request itself is judged when
// it comes.
func (s *Site) answerPreflight(w http.ResponseWriter, r *http.Request) {
	s.attach(r, nil)
	dialect.Hurry(w, r)
	setNoStore(w.Header())
	w.Header().Add("Vary", "Access-Control-Request-Headers")
	s.cors.Allow(w.Header(), r)
	s.cors.Permit(w, askedFields(r.Header), s.methods()...)
}

// maxAskedFields bounds what a preflight may make an answer repeat.
const maxAskedFields = 1024

// askedFields returns the fields that a preflight asks for, "" where they are
// no list of names. All are permitted: credentials stand in fields that differ
// between dialects, and an upstream knows fields of its own.
func askedFields(h http.Header) string {
	asked := strings.Join(h["Access-Control-Request-Headers"], ", ")
	if len(asked) > maxAskedFields || strings.Trim(asked, inList) != "" {
		return ""
	}
	return asked
}

// inList is what names of fields consist of (RFC 9110 section 5.1) and what
// stands between two.
const inList = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~, "

// readable returns the writer for the upstream's answer to a request that
// passed: one that lets the script read it, where the upstream has no word on
// that itself.
func (s *Site) readable(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if !s.cors.Lists(r) {
		return w
	}
	fields := make(http.Header, 3)
	s.cors.Allow(fields, r)
	return &corsWriter{w, fields}
}

// corsWriter adds fields to an answer at the last moment, unless it has some of
// its own: two of them would be as good as none.
type corsWriter struct {
	http.ResponseWriter
	fields http.Header
}

// decide adds the fields, once.
func (c *corsWriter) decide() {
	h := c.Header()
	if len(h[allowOrigin]) > 0 {
		c.fields = nil
	}
	for name, values := range c.fields {
		h[name] = append(h[name], values...)
	}
	c.fields = nil
}

const allowOrigin = "Access-Control-Allow-Origin"

// WriteHeader implements [http.ResponseWriter]. Informational answers are not
// the answer yet.
func (c *corsWriter) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		c.decide()
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *corsWriter) Write(text []byte) (int, error) {
	c.decide()
	return c.ResponseWriter.Write(text)
}

// ReadFrom implements [io.ReaderFrom], so that files are still sent by the
// kernel.
func (c *corsWriter) ReadFrom(text io.Reader) (int64, error) {
	c.decide()
	return io.Copy(c.ResponseWriter, text)
}

// FlushError implements what [http.ResponseController] looks for.
func (c *corsWriter) FlushError() error {
	c.decide()
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController].
func (c *corsWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
