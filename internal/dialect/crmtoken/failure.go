package crmtoken

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The status codes of the contract.
const (
	codeOK          = "OK"
	codeCredentials = "INVALID_CREDENTIALS"
	codeMissing     = "MISSING_PARAMETER"
	codeParameter   = "INVALID_PARAMETER"
	codeToken       = "INVALID_TOKEN"
	codeExpired     = "TOKEN_EXPIRED"
	codeAttempts    = "TOO_MANY_ATTEMPTS"
	codeServer      = "SERVER_ERROR"
)

// failure is one negative answer.
type failure struct {
	// status is the HTTP status: the one of every such answer where always is
	// set, else of those with the option http_errors.
	status                     int
	always                     bool
	code, message, description string
	// challenge stands beside a status of 401 and 403.
	challenge string
	// retryAfter is set where trying again later helps.
	retryAfter time.Duration
}

// The failures that look the same whatever the cause.
var (
	notFound = failure{
		status: http.StatusNotFound, always: true, code: codeParameter,
		message: "There is no such call.", description: "The path is not one of this API.",
	}
	wrongMethod = failure{
		status: http.StatusMethodNotAllowed, always: true, code: codeParameter,
		message: "This method is not allowed here.", description: "Every call of this API is a POST.",
	}
	tooEarly = failure{
		status: http.StatusTooEarly, always: true, code: codeParameter,
		message: "The request came too early.", description: "Send it again after the TLS handshake.",
	}
	tooSlow = failure{
		status: http.StatusRequestTimeout, always: true, code: codeParameter,
		message: "The body took too long to arrive.", description: "Send it again, and faster.",
	}
	tooLarge = failure{
		status: http.StatusRequestEntityTooLarge, always: true, code: codeParameter,
		message: "The body is too large.", description: "It has more bytes than this server reads.",
	}
	mediaType = failure{
		status: http.StatusUnsupportedMediaType, always: true, code: codeParameter,
		message: "The body cannot be read.", description: "It must be JSON in UTF-8 without a content coding.",
	}
	internal = failure{
		status: http.StatusInternalServerError, always: true, code: codeServer,
		message: "The server could not answer.", description: "The fault is not in the request.",
	}
	badCredentials = failure{
		status: http.StatusUnauthorized, code: codeCredentials,
		message:     "The credentials are not valid.",
		description: "What was sent to log in, the organisation and the unit do not go together, or may not log in.",
	}
	badToken = failure{
		status: http.StatusUnauthorized, code: codeToken,
		message: "The token is not valid.", description: "Log in to get another one.",
	}
	expiredToken = failure{
		status: http.StatusUnauthorized, code: codeExpired,
		message: "The token has expired.", description: "Log in to get another one.",
	}
	notPermitted = failure{
		status: http.StatusForbidden, code: codeCredentials,
		message: "The token does not permit this.", description: "Another token of the same user will not either.",
	}
)

// judge maps every code, but for what bad says of a credential that is bad or
// not there.
func judge(e *auth.Error, bad failure) failure {
	//exhaustive:enforce
	switch e.Code {
	case auth.Malformed:
		return malformed(e)
	case auth.NoCredential, auth.InvalidCredential:
		return bad
	case auth.InsufficientScope:
		return notPermitted
	case auth.Throttled:
		return failure{
			status: http.StatusTooManyRequests, code: codeAttempts,
			message: "There were too many requests or attempts.", description: "Try again later.",
			retryAfter: max(e.RetryAfter, time.Second),
		}
	case auth.Unavailable:
		return failure{
			status: http.StatusServiceUnavailable, always: true, code: codeServer,
			message: "The service is not available at the moment.", description: "Try again later.",
			retryAfter: max(e.RetryAfter, time.Second),
		}
	case auth.NotFound:
		return notFound
	case auth.Internal, auth.Conflict:
		return internal
	}
	return internal
}

// loginFailure tells why a login failed, and never which part of it was wrong.
func loginFailure(e *auth.Error) failure {
	f := judge(e, badCredentials)
	f.challenge = bearer.Challenge(auth.NoCredential, "") // the scheme of what a login gives
	return f
}

// keyFailure tells why a login by key failed.
func keyFailure(e *auth.Error) failure {
	f := judge(e, badCredentials)
	f.challenge = `Basic realm="web_api_key", charset="UTF-8"` // RFC 7617 section 2
	return f
}

// tokenFailure tells why a token is refused, by the guard or by a release. Only
// a genuine token can have expired, so saying so helps nobody to guess one. Of
// a key that has expired no client has to know.
func tokenFailure(e *auth.Error) failure {
	bad := badToken
	if e.Reason == auth.ReasonExpired && !errors.Is(e, auth.ErrKey) {
		bad = expiredToken
	}
	f := judge(e, bad)
	f.challenge = bearer.Challenge(e.Code, "")
	return f
}

// malformed tells what cannot be read of a request, which has a status of its
// own where it is a matter of HTTP.
func malformed(e *auth.Error) failure {
	switch e.Reason {
	case auth.ReasonTooLarge:
		return tooLarge
	case auth.ReasonMediaType:
		return mediaType
	case auth.ReasonTimeout:
		return tooSlow
	case auth.ReasonMethod:
		return wrongMethod
	case auth.ReasonEarlyData:
		return tooEarly
	}
	if missing, ok := errors.AsType[missingFields](e); ok {
		return failure{
			status: http.StatusBadRequest, code: codeMissing,
			message: "A parameter is missing.", description: missing.Error() + ".",
		}
	}
	return failure{
		status: http.StatusBadRequest, code: codeParameter,
		message: "The request cannot be read, or a parameter is not valid.", description: wrong(e),
	}
}

// wrong says what is wrong with a body. None of its texts holds anything that
// the client sent.
func wrong(e *auth.Error) string {
	if fields, ok := errors.AsType[dialect.FieldErrors](e); ok {
		return fields.Error() + "."
	}
	if syntax, ok := errors.AsType[*dialect.SyntaxError](e); ok {
		return "The body is not the JSON that is wanted: " + syntax.Problem + ", at byte " + strconv.Itoa(syntax.Offset) + "."
	}
	switch e.Reason {
	case auth.ReasonDuplicate:
		return "Something that may stand once stands twice."
	case auth.ReasonAmbiguous:
		return "It brings credentials of more than one caller."
	case auth.ReasonCleartext:
		return "A token in the query needs https."
	}
	return "It can be read in no way, or in more than one."
}

// write answers with f, with its status if statuses says so.
func (f failure) write(w http.ResponseWriter, statuses bool) {
	code := http.StatusOK
	if statuses || f.always {
		code = f.status
	}
	if f.challenge != "" && (code == http.StatusUnauthorized || code == http.StatusForbidden) {
		w.Header().Set("WWW-Authenticate", f.challenge)
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", dialect.RetryAfter(f.retryAfter))
	}
	write(w, code, answer{Status: status{Code: f.code, Message: &f.message, Description: &f.description}})
}
