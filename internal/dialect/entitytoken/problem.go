package entitytoken

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// answer is the body of every answer.
type answer struct {
	Success bool   `json:"success"`
	Token   string `json:"authenticationToken,omitempty"`
	Error   string `json:"error,omitempty"`
	// Both are of an expired user token: the public client logs in again.
	UserTokenExpired bool `json:"userTokenExpired,omitempty"`
	LoginAgain       bool `json:"loginAgain,omitempty"`
}

// done is the answer of a call that succeeded.
func done(t session.EntityToken) answer {
	return answer{Success: true, Token: t.Token.Reveal()}
}

func send(w http.ResponseWriter, status int, body answer) {
	text, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError // strings and truth values always marshal
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// problem is one negative answer.
type problem struct {
	status  int
	message string
	// challenge is the WWW-Authenticate that goes with it.
	challenge string
	// retryAfter is set where trying again later helps.
	retryAfter time.Duration
	// expired says that a genuine user token has expired.
	expired bool
}

func (p problem) write(w http.ResponseWriter) {
	if p.challenge != "" {
		w.Header().Set("WWW-Authenticate", p.challenge)
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", dialect.RetryAfter(p.retryAfter))
	}
	body := answer{Error: p.message, UserTokenExpired: p.expired, LoginAgain: p.expired}
	if p.expired {
		body.Error = "The user token has expired: log in again."
	}
	send(w, p.status, body)
}

// fail answers one of the dialect's own calls that is refused.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	dialect.Refused(r.Context(), err)
	judge(auth.AsError(err)).write(w)
}

// judge maps every code to its answer. A message says which class a failure is
// of and no more: unknown, wrong and revoked read alike.
func judge(e *auth.Error) problem {
	p := verdict(e)
	if p.status == http.StatusUnauthorized || p.status == http.StatusForbidden {
		p.challenge = bearer.Challenge(e.Code, "")
	}
	return p
}

func verdict(e *auth.Error) problem {
	wait := max(e.RetryAfter, time.Second)
	//exhaustive:enforce
	switch e.Code {
	case auth.Malformed:
		return malformed(e)
	case auth.NoCredential:
		return problem{status: http.StatusUnauthorized, message: "Credentials are needed."}
	case auth.InvalidCredential:
		expired := e.Reason == auth.ReasonExpired && !errors.Is(e, auth.ErrKey)
		return problem{status: http.StatusUnauthorized, message: "The credentials are not valid.", expired: expired}
	case auth.InsufficientScope:
		return problem{status: http.StatusForbidden, message: "The credentials do not permit this."}
	case auth.NotFound:
		return problem{status: http.StatusNotFound, message: "There is no such thing."}
	case auth.Conflict:
		return problem{status: http.StatusConflict, message: "The token was changed by others at the same time."}
	case auth.Throttled:
		return problem{status: http.StatusTooManyRequests, message: "There were too many requests.", retryAfter: wait}
	case auth.Unavailable:
		return problem{status: http.StatusServiceUnavailable, message: "The service is not available for the moment.", retryAfter: wait}
	case auth.Internal:
	}
	return problem{status: http.StatusInternalServerError, message: "Something went wrong here."}
}

// malformed is 400, save for the causes that have a status of their own.
func malformed(e *auth.Error) problem {
	switch e.Reason {
	case auth.ReasonMethod:
		return problem{status: http.StatusMethodNotAllowed, message: "This method is not allowed here."}
	case auth.ReasonTimeout:
		return problem{status: http.StatusRequestTimeout, message: "The body took too long to arrive."}
	case auth.ReasonTooLarge:
		return problem{status: http.StatusRequestEntityTooLarge, message: "The body is too large."}
	case auth.ReasonMediaType:
		return problem{status: http.StatusUnsupportedMediaType, message: "The body must be JSON in UTF-8, and its Content-Type must say so."}
	case auth.ReasonEarlyData:
		return problem{status: http.StatusTooEarly, message: "Send this again after the TLS handshake."}
	default:
		return problem{status: http.StatusBadRequest, message: wrong(e)}
	}
}

// wrong says what cannot be read. No part of it was sent by the client.
func wrong(e *auth.Error) string {
	if fields, ok := errors.AsType[dialect.FieldErrors](e); ok {
		return fields.Error() + "."
	}
	if syntax, ok := errors.AsType[*dialect.SyntaxError](e); ok {
		return "The body is not the JSON that is wanted, at byte " + strconv.Itoa(syntax.Offset) + ": " + syntax.Problem + "."
	}
	return "The request cannot be read."
}
