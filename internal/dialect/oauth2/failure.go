package oauth2

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// stage is how far a request came: one code has several names here.
type stage int

const (
	// atRequest is before anybody proved anything.
	atRequest stage = iota
	// atClient is while a client proves itself.
	atClient
	// atGrant is after that.
	atGrant
	// atGuard is a guarded request.
	atGuard
)

// basicChallenge is the scheme by which a client can prove itself (RFC 6749
// section 5.2, RFC 7617 section 2).
const basicChallenge = `Basic realm="oauth2", charset="UTF-8"`

// fail answers one of the dialect's own calls that failed.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, at stage, err error) {
	dialect.Refused(r.Context(), err)
	judge(auth.AsError(err), at).write(w)
}

// Refuse answers a guarded request as RFC 6750 section 3 says, with a body of
// the same error.
func (d *Dialect) Refuse(w http.ResponseWriter, _ *http.Request, refusal dialect.Refusal) {
	p := judge(refusal.Err, atGuard)
	if p.status <= http.StatusForbidden {
		p.challenge = bearer.Challenge(refusal.Err.Code, "")
	}
	p.write(w)
}

// judge maps every code to what it is called at a stage.
func judge(e *auth.Error, at stage) problem {
	//exhaustive:enforce
	switch e.Code {
	case auth.Malformed:
		return malformed(e)
	case auth.NoCredential:
		return nobody(at)
	case auth.InvalidCredential:
		return wrong(at)
	case auth.InsufficientScope:
		return beyond(at)
	case auth.Throttled:
		return later(e, http.StatusTooManyRequests, "Too many requests or attempts.")
	case auth.Unavailable:
		return later(e, http.StatusServiceUnavailable, "The service is not available for the moment.")
	case auth.NotFound:
		return problem{status: http.StatusNotFound, code: notFound, description: "There is nothing here."}
	case auth.Internal, auth.Conflict:
		return internal
	}
	return internal
}

var internal = problem{status: http.StatusInternalServerError, code: serverError, description: "The server could not answer."}

// malformed is invalid_request, with the status of HTTP where that has one.
func malformed(e *auth.Error) problem {
	p := problem{status: http.StatusBadRequest, code: invalidRequest, description: "The request cannot be read" + because(e) + "."}
	switch e.Reason {
	case auth.ReasonUnsupported:
		p.code, p.description = unsupportedGrant, "There is no such grant here."
	case auth.ReasonMethod:
		p.status, p.description = http.StatusMethodNotAllowed, "This method is not allowed here."
	case auth.ReasonTimeout:
		p.status, p.description = http.StatusRequestTimeout, "The body took too long to arrive."
	case auth.ReasonTooLarge:
		p.status, p.description = http.StatusRequestEntityTooLarge, "The request is too large."
	case auth.ReasonMediaType:
		p.status, p.description = http.StatusUnsupportedMediaType, "The body must be application/x-www-form-urlencoded in UTF-8."
	case auth.ReasonEarlyData:
		p.status, p.description = http.StatusTooEarly, "Send this again after the TLS handshake."
	default: // 400, as above
	}
	return p
}

// because says what is wrong, where that quotes nothing that a client sent.
func because(e *auth.Error) string {
	if fields, ok := errors.AsType[dialect.FieldErrors](e); ok {
		return ": " + fields.Error()
	}
	if f, ok := errors.AsType[flaw](e); ok {
		return ": " + f.Error()
	}
	return ""
}

// nobody is a request without a credential. A guard says nothing about one in
// its challenge (RFC 6750 section 3.1).
func nobody(at stage) problem {
	if at == atGuard {
		return problem{status: http.StatusUnauthorized, code: unauthorized, description: "A bearer token is needed."}
	}
	return problem{
		status: http.StatusUnauthorized, code: invalidClient, challenge: basicChallenge,
		description: "The client must authenticate, by HTTP Basic or by client_id and client_secret in the body.",
	}
}

// wrong says which credential is not good, and never why.
func wrong(at stage) problem {
	switch at {
	case atGuard:
		return problem{status: http.StatusUnauthorized, code: invalidToken, description: "The token is not valid."}
	case atGrant:
		return problem{status: http.StatusBadRequest, code: invalidGrant, description: "The refresh token is not valid."}
	case atRequest, atClient:
	}
	return problem{
		status: http.StatusUnauthorized, code: invalidClient, challenge: basicChallenge,
		description: "The client_id and client_secret do not go together.",
	}
}

func beyond(at stage) problem {
	if at == atGuard {
		return problem{status: http.StatusForbidden, code: insufficientScope, description: "The token does not permit this."}
	}
	return problem{status: http.StatusBadRequest, code: invalidScope, description: "The scope is malformed, or goes beyond what may be granted."}
}

func later(e *auth.Error, status int, description string) problem {
	return problem{status: status, code: unavailableForNow, description: description, retryAfter: max(e.RetryAfter, time.Second)}
}
