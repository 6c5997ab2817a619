package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// refuser writes a refusal in one shape.
type refuser func(http.ResponseWriter, *http.Request, dialect.Refusal)

// Problem is the name of the shape of RFC 9457.
const Problem = "problem"

// chooseRefuser picks the shape of refusals: as configured, else that of the
// only kind of dialect, else problem details.
func (s *Site) chooseRefuser() (refuser, error) {
	want := s.cfg.Errors
	if want == "" {
		want = s.onlyKind()
	}
	if want == Problem {
		return s.refuseProblem, nil
	}
	for i := range s.logins {
		if s.logins[i].kind.Name == want {
			return s.logins[i].Refuse, nil
		}
	}
	return nil, fmt.Errorf("errors %s: this site has no login %s", want, want)
}

func (s *Site) onlyKind() string {
	name := ""
	for _, l := range s.logins {
		if name != "" && l.kind.Name != name {
			return Problem
		}
		name = l.kind.Name
	}
	if name == "" {
		return Problem
	}
	return name
}

var usualMethods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// methods returns the methods that pass.
func (s *Site) methods() []string { return append(slices.Clone(usualMethods), s.cfg.Methods...) }

// ReasonField is the header field that tells why a request was refused, where
// a site is configured to tell. Logins have none: there it would tell whoever
// guesses whether it was the name or the password that was wrong.
const ReasonField = "X-Gatehouse-Reason"

// RequestField is the header field that names a refused request as the audit
// log does, on the same sites.
const RequestField = "X-Gatehouse-Request"

// refuse answers, counts and audits a request that does not pass.
func (s *Site) refuse(w http.ResponseWriter, r *http.Request, shape refuser, err error, got presented) {
	failure := auth.AsError(err)
	s.count(Refused, reasonOf(failure))
	s.auditRefusal(r, failure, got, false)
	s.traceRefused(failure, got, false)
	// A hook that panicked may do so again.
	_ = contain(func() error { s.attach(r, got.verdict); return nil })
	if failure.Reason != auth.ReasonTimeout { // or its limit would begin anew
		dialect.Hurry(w, r)
	}
	setNoStore(w.Header())
	if s.cfg.Debug {
		s.tellReason(w, r, failure)
	}
	s.cors.Allow(w.Header(), r) // a script has to read what it did wrong
	switch failure.Reason {     // matters of HTTP alone, with a status that few dialects know
	case auth.ReasonMethod:
		w.Header().Set("Allow", strings.Join(s.methods(), ", "))
		shape = s.refuseProblem
	case auth.ReasonEarlyData:
		shape = s.refuseProblem
	}
	shape(w, r, dialect.Refusal{Err: failure, Credential: got.credential})
}

func (s *Site) tellReason(w http.ResponseWriter, r *http.Request, failure *auth.Error) {
	w.Header().Set(ReasonField, string(reasonOf(failure)))
	if id := s.requestID(r.Context()); id != "" {
		w.Header().Set(RequestField, id)
	}
}

// setNoStore keeps an answer about credentials out of caches, and browsers
// from reading it as anything else than it says.
func setNoStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// refuseProblem answers with problem details (RFC 9457) and, where the caller
// can do something about its credential, a challenge (RFC 6750 section 3).
func (s *Site) refuseProblem(w http.ResponseWriter, _ *http.Request, refusal dialect.Refusal) {
	status := Status(refusal.Err)
	c := bearer.Challenge(refusal.Err.Code, s.cfg.Realm)
	if c != "" && status <= http.StatusForbidden {
		w.Header().Set("WWW-Authenticate", c)
	}
	SetRetryAfter(w.Header(), refusal.Err)
	writeProblem(w, status)
}

func writeProblem(w http.ResponseWriter, status int) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
	}{"about:blank", http.StatusText(status), status})
	if err != nil {
		return // three plain members always marshal
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Status maps a refusal of the guard to its status. A fault of ours is never
// the caller's: an unknown code is 500.
func Status(e *auth.Error) int {
	//exhaustive:enforce
	switch e.Code {
	case auth.Unavailable:
		return http.StatusServiceUnavailable
	case auth.Malformed:
		return malformedStatus(e.Reason)
	case auth.NoCredential, auth.InvalidCredential:
		return http.StatusUnauthorized
	case auth.InsufficientScope:
		return http.StatusForbidden
	case auth.NotFound:
		return http.StatusNotFound
	case auth.Conflict:
		return http.StatusConflict
	case auth.Throttled:
		return http.StatusTooManyRequests
	case auth.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

func malformedStatus(reason auth.Reason) int {
	switch reason {
	case auth.ReasonMethod:
		return http.StatusMethodNotAllowed
	case auth.ReasonTooLarge:
		return http.StatusRequestEntityTooLarge
	case auth.ReasonEarlyData:
		return http.StatusTooEarly
	case auth.ReasonTimeout:
		return http.StatusRequestTimeout
	default:
		return http.StatusBadRequest
	}
}

// SetRetryAfter says when to come back, where that helps.
func SetRetryAfter(h http.Header, e *auth.Error) {
	if e.Code != auth.Throttled && e.Code != auth.Unavailable {
		return
	}
	h.Set("Retry-After", dialect.RetryAfter(e.RetryAfter))
}
