package timedlogin

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// loginProblem maps a failure of a login.
func (d *Dialect) loginProblem(err error) problem {
	e := auth.AsError(err)
	//exhaustive:enforce
	switch e.Code {
	case auth.Malformed, auth.NoCredential:
		return malformed(e, badFields(e))
	case auth.InvalidCredential:
		return d.badLogin(e.Reason)
	case auth.InsufficientScope:
		return noPermission
	case auth.Throttled:
		return throttled(e)
	case auth.Unavailable:
		return unavailable(e)
	case auth.Internal, auth.Conflict, auth.NotFound:
		return internal
	}
	return internal
}

// badLogin says that a login name and a key do not go together. A known name
// with a bad key is told apart by option only: it tells which names exist.
func (d *Dialect) badLogin(reason auth.Reason) problem {
	switch reason {
	case auth.ReasonAddress:
		return badAddress
	case auth.ReasonMismatch, auth.ReasonRevoked, auth.ReasonExpired:
		if d.distinct {
			return problem{status: http.StatusUnauthorized, code: codeKey, message: "This ApiKey is not valid."}
		}
	default: // unknown, disabled, and whatever else is nobody's business
	}
	return problem{status: http.StatusUnauthorized, code: codeLogin, message: "This UserLogin or ApiKey is not known."}
}

// guardProblem maps a refusal of a guarded request.
func guardProblem(refusal dialect.Refusal) problem {
	e := refusal.Err
	//exhaustive:enforce
	switch e.Code {
	case auth.NoCredential:
		return malformed(e, []string{tokenField})
	case auth.Malformed:
		return malformed(e, guardFields(e.Reason))
	case auth.InvalidCredential:
		return badToken(e.Reason, refusal.Credential.Token)
	case auth.InsufficientScope:
		return noPermission
	case auth.Throttled:
		return throttled(e)
	case auth.Unavailable:
		return unavailable(e)
	case auth.NotFound:
		return notFound
	case auth.Internal, auth.Conflict:
		return internal
	}
	return internal
}

// badToken says what is wrong with the token of a later call. Only a genuine
// token can be expired, so saying so helps nobody to guess one. token is "" for
// another kind of credential, an API key say.
func badToken(reason auth.Reason, token string) problem {
	switch {
	case reason == auth.ReasonAddress:
		return badAddress
	case token == "":
		return badCredential
	case reason == auth.ReasonExpired:
		return problem{status: http.StatusUnauthorized, code: codeTokenExpired, message: "Token " + head(token) + " already expired"}
	}
	return problem{status: http.StatusUnauthorized, code: codeTokenUnknown, message: "Token " + head(token) + " not found"}
}

// head returns the first eight characters of a token: enough for its owner to
// know it by, and too few for anyone else.
func head(token string) string {
	runes := []rune(token)
	return string(runes[:min(len(runes), 8)])
}

// malformed is 1002, save for the causes that have a status of their own.
func malformed(e *auth.Error, fields []string) problem {
	switch e.Reason {
	case auth.ReasonTooLarge:
		return tooLarge
	case auth.ReasonMediaType:
		return mediaType
	case auth.ReasonTimeout:
		return tooSlow
	default:
		return problem{
			status: http.StatusBadRequest, code: codeParameter, fields: fields,
			message: "The request cannot be read, or a parameter is missing, empty or of the wrong type.",
		}
	}
}

// badFields lists the fields of a login that are wrong; both where the body
// could not be read, since then neither was found.
func badFields(e *auth.Error) []string {
	wrong, ok := errors.AsType[dialect.FieldErrors](e)
	if !ok {
		return []string{userLoginField, apiKeyField}
	}
	names := make([]string, len(wrong))
	for i, f := range wrong {
		names[i] = f.Field
	}
	return names
}

// guardFields lists what is wrong with a guarded request: the token, unless
// the request itself is at fault.
func guardFields(reason auth.Reason) []string {
	if reason == auth.ReasonPath || reason == auth.ReasonCleartext {
		return nil
	}
	return []string{tokenField}
}

// throttled is 401 in this family, not 429.
func throttled(e *auth.Error) problem {
	return problem{
		status: http.StatusUnauthorized, code: codeRate,
		message: "There were too many requests or attempts.", retryAfter: max(e.RetryAfter, time.Second),
	}
}

func unavailable(e *auth.Error) problem {
	return problem{
		status:  http.StatusServiceUnavailable,
		message: "The service is not available at the moment.", retryAfter: max(e.RetryAfter, time.Second),
	}
}

// challenge is the WWW-Authenticate of a refusal: a token in the query is a
// bearer token (RFC 6750 section 2.3). Too many requests are a 401 here, and
// have the bare challenge that every 401 needs (RFC 9110 section 15.5.2).
func challenge(code auth.Code, status int) string {
	switch {
	case code == auth.Throttled:
		return bearer.Challenge(auth.NoCredential, "")
	case status <= http.StatusForbidden:
		return bearer.Challenge(code, "")
	}
	return ""
}
