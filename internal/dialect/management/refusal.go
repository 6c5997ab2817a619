package management

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// verdict is the status and the message of a failure.
type verdict struct {
	status  int
	message string
}

// judge maps every code to its status here. The message says which class a
// failure is of and no more: unknown, wrong and revoked read alike.
func judge(e *auth.Error) verdict {
	//exhaustive:enforce
	switch e.Code {
	case auth.Unavailable:
		return verdict{http.StatusServiceUnavailable, "The service is not available for the moment."}
	case auth.Malformed:
		return unreadable(e.Reason)
	case auth.NoCredential:
		return verdict{http.StatusUnauthorized, "A credential is needed."}
	case auth.InvalidCredential:
		return verdict{http.StatusUnauthorized, "The credential is not valid."}
	case auth.InsufficientScope:
		return verdict{http.StatusForbidden, "The credential does not permit this."}
	case auth.Throttled:
		return verdict{http.StatusTooManyRequests, "Too many requests or attempts."}
	case auth.Conflict:
		return verdict{http.StatusConflict, "The change is at odds with what is stored."}
	case auth.NotFound:
		return verdict{http.StatusNotFound, "There is no such thing."}
	case auth.Internal:
	}
	return verdict{http.StatusInternalServerError, "Something went wrong here."}
}

func unreadable(reason auth.Reason) verdict {
	switch reason {
	case auth.ReasonTooLarge:
		return verdict{http.StatusRequestEntityTooLarge, "The request is too large."}
	case auth.ReasonTimeout:
		return verdict{http.StatusRequestTimeout, "The body took too long to arrive."}
	case auth.ReasonMediaType:
		return verdict{http.StatusUnsupportedMediaType, "The content type is not supported."}
	case auth.ReasonMethod:
		return verdict{http.StatusMethodNotAllowed, "The method is not allowed."}
	case auth.ReasonEarlyData:
		return verdict{http.StatusTooEarly, "The request came in early data."}
	}
	return verdict{http.StatusBadRequest, "The request cannot be read."}
}

// refuse answers one of the dialect's own calls that failed: with a problem
// where the request itself is at fault, with the call's envelope elsewhere.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, in shape, err error) {
	dialect.Refused(r.Context(), err)
	e := auth.AsError(err)
	v := judge(e)
	switch {
	case v.status == http.StatusBadRequest:
		a.problem(w, problem{Status: v.status, Errors: wrong(err)})
	case e.Code == auth.Malformed:
		a.problem(w, problem{Status: v.status})
	default:
		enveloped(w, r, in, e, v)
	}
}

// Refuse answers a guarded request in the envelope that all calls share.
func (a *api) Refuse(w http.ResponseWriter, r *http.Request, refusal dialect.Refusal) {
	enveloped(w, r, plainShape, refusal.Err, judge(refusal.Err))
}

func enveloped(w http.ResponseWriter, r *http.Request, in shape, e *auth.Error, v verdict) {
	if challenge := bearer.Challenge(e.Code, ""); challenge != "" && v.status <= http.StatusForbidden {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if v.status == http.StatusTooManyRequests || v.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", dialect.RetryAfter(e.RetryAfter))
	}
	write(w, r, v.status, in(envelope{Code: v.status, Message: v.message}))
}
