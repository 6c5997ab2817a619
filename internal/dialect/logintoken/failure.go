package logintoken

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// shown is the cause of a failure whose text a client may see. It holds of the
// request at most what was bounded to [maxShown].
type shown string

func (s shown) Error() string { return string(s) }

// maxShown bounds in bytes what an answer repeats of a request.
const maxShown = 128

// cut shortens what an answer repeats.
func cut(text string) string { return text[:min(len(text), maxShown)] }

// class is one of the error classes of Feathers. Its client makes an error of
// the class of that name, so the names are exact.
type class struct{ name, className string }

var (
	badRequest       = class{"BadRequest", "bad-request"}
	notAuthenticated = class{"NotAuthenticated", "not-authenticated"}
	forbidden        = class{"Forbidden", "forbidden"}
	notFound         = class{"NotFound", "not-found"}
	methodNotAllowed = class{"MethodNotAllowed", "method-not-allowed"}
	timeout          = class{"Timeout", "timeout"}
	conflict         = class{"Conflict", "conflict"}
	tooManyRequests  = class{"TooManyRequests", "too-many-requests"}
	generalError     = class{"GeneralError", "general-error"}
	unavailable      = class{"Unavailable", "unavailable"}
)

// problem is the error object of Feathers.
type problem struct {
	Name      string `json:"name"`
	Message   string `json:"message"`
	Code      int    `json:"code"`
	ClassName string `json:"className"`
	Data      any    `json:"data,omitempty"`
}

func (c class) problem(code int, message string) problem {
	return problem{Name: c.name, Message: message, Code: code, ClassName: c.className}
}

// judge maps every failure to its error object.
func judge(err error) problem {
	e := auth.AsError(err)
	//exhaustive:enforce
	switch e.Code {
	case auth.Unavailable:
		return unavailable.problem(http.StatusServiceUnavailable, "The service is not available for the moment")
	case auth.Malformed:
		return unreadable(e)
	case auth.NoCredential:
		return notAuthenticated.problem(http.StatusUnauthorized, message(e, "Not authenticated"))
	case auth.InvalidCredential:
		return judgeToken(e)
	case auth.InsufficientScope:
		return forbidden.problem(http.StatusForbidden, message(e, "You are not allowed to do this"))
	case auth.Throttled:
		return tooManyRequests.problem(http.StatusTooManyRequests, "Too many requests or attempts")
	case auth.Conflict:
		return conflict.problem(http.StatusConflict, "The record was changed by someone else")
	case auth.NotFound:
		return notFound.problem(http.StatusNotFound, message(e, "Not found"))
	case auth.Internal:
	}
	return generalError.problem(http.StatusInternalServerError, "Something went wrong here")
}

// message is what the cause may show, def where it shows nothing.
func message(err error, def string) string {
	if text, ok := errors.AsType[shown](err); ok {
		return string(text)
	}
	return def
}

// unreadable maps the causes of a request that cannot be read. Those that
// Feathers has no class for are a BadRequest with the status of their own.
func unreadable(e *auth.Error) problem {
	switch e.Reason {
	case auth.ReasonMethod:
		return methodNotAllowed.problem(http.StatusMethodNotAllowed, message(e, "Method not allowed"))
	case auth.ReasonTooLarge:
		return badRequest.problem(http.StatusRequestEntityTooLarge, "The request is too large")
	case auth.ReasonMediaType:
		return badRequest.problem(http.StatusUnsupportedMediaType, "The body must be JSON in UTF-8")
	case auth.ReasonTimeout:
		return timeout.problem(http.StatusRequestTimeout, "The body took too long to arrive")
	case auth.ReasonEarlyData:
		return badRequest.problem(http.StatusTooEarly, "Send this again after the TLS handshake")
	default:
	}
	if invalid, ok := errors.AsType[*schemaError](e); ok {
		p := badRequest.problem(http.StatusBadRequest, "validation failed")
		p.Data = []schemaError{*invalid}
		return p
	}
	if syntax, ok := errors.AsType[*dialect.SyntaxError](e); ok {
		return badRequest.problem(http.StatusBadRequest, "Invalid "+syntax.Error())
	}
	return badRequest.problem(http.StatusBadRequest, message(e, "The request cannot be read"))
}

// refuse answers one of the dialect's own calls that failed.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	dialect.Refused(r.Context(), err)
	a.fail(w, err)
}

// Refuse answers a guarded request in the shape of the dialect's own.
func (a *api) Refuse(w http.ResponseWriter, _ *http.Request, refusal dialect.Refusal) {
	a.fail(w, ofToken(refusal.Err, refusal.Credential.Token))
}

// fail writes a failure. No original of this API sends a challenge, and
// browsers answer one with a window of their own.
func (a *api) fail(w http.ResponseWriter, err error) {
	if e := auth.AsError(err); e.Code == auth.Throttled || e.Code == auth.Unavailable {
		w.Header().Set("Retry-After", dialect.RetryAfter(e.RetryAfter))
	}
	p := judge(err)
	write(w, p.Code, p)
}
