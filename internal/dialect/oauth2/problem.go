package oauth2

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The errors of RFC 6749 sections 4.1.2.1 and 5.2 and of RFC 6750 section 3.1,
// and unauthorized and not_found, which those leave without a name.
const (
	invalidRequest    = "invalid_request"
	invalidClient     = "invalid_client"
	invalidGrant      = "invalid_grant"
	invalidScope      = "invalid_scope"
	invalidToken      = "invalid_token"
	insufficientScope = "insufficient_scope"
	unsupportedGrant  = "unsupported_grant_type"
	unavailableForNow = "temporarily_unavailable"
	serverError       = "server_error"
	unauthorized      = "unauthorized"
	notFound          = "not_found"
)

// problem is one negative answer.
type problem struct {
	status int
	code   string
	// description is for people, in the characters of RFC 6749 section 5.2. It
	// quotes nothing that a client sent.
	description string
	// retryAfter is set where trying again later helps.
	retryAfter time.Duration
	// challenge is the WWW-Authenticate of the answer, "" for none.
	challenge string
}

// errorResponse is the answer of RFC 6749 section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (p problem) write(w http.ResponseWriter) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", dialect.RetryAfter(p.retryAfter))
	}
	if p.challenge != "" {
		w.Header().Set("WWW-Authenticate", p.challenge)
	}
	write(w, p.status, errorResponse{p.code, p.description})
}

// write answers with body, for the caller alone.
func write(w http.ResponseWriter, status int, body any) {
	setFields(w.Header())
	send(w, status, body)
}

// writePublic answers with what anyone may know.
func writePublic(w http.ResponseWriter, body any) {
	w.Header().Set("Cache-Control", publicAge)
	send(w, http.StatusOK, body)
}

// setFields keeps an answer out of caches (RFC 6749 section 5.1). Pragma is for
// those of HTTP/1.0.
func setFields(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

func send(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers always marshal
		status, text = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
