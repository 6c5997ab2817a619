package auth

import (
	"context"
	"errors"
	"time"
)

// Code is the class of a failure. The set is closed: a new cause is a wrapped
// error under an existing code, and every wire maps all of them.
type Code uint8

const (
	// Internal is a fault of ours. It is the zero value, so that an error
	// nobody classified never reads as the caller's.
	Internal Code = iota
	// Unavailable is a store out of reach or a full queue: try again later.
	Unavailable
	// Malformed is a request that cannot be read, or read in one way only.
	Malformed
	// NoCredential is a request that brought nothing to verify.
	NoCredential
	// InvalidCredential is a wrong, expired, revoked or foreign credential.
	InvalidCredential
	// InsufficientScope is a verified caller who may not do this.
	InsufficientScope
	// Throttled is too many requests or attempts.
	Throttled
	// Conflict is a change that lost against another, or a name in use.
	Conflict
	// NotFound is a thing that is absent, or that the caller may not see.
	NotFound
)

var codeNames = [...]string{
	"internal", "unavailable", "malformed", "no_credential", "invalid_credential",
	"insufficient_scope", "throttled", "conflict", "not_found",
}

// String returns the stable machine-readable name, e.g. "invalid_credential".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return codeNames[Internal]
}

// Codes lists every code, for the wires that must map all of them.
func Codes() []Code {
	all := make([]Code, len(codeNames))
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

// Error is a failure with its class. Its text is for operators; no wire shows
// it to a client.
type Error struct {
	Code Code
	// Reason tells causes of one code apart for audit and metrics. It is
	// never the client's text.
	Reason Reason
	// RetryAfter is how long the caller should wait; 0 where it does not apply.
	RetryAfter time.Duration
	// Err is the cause, nil where Reason says it all.
	Err error
}

// ErrKey is the cause inside a refusal that is about an API key and not about
// the token beside it or obtained with it: a client that may be told of a token
// that has expired is not to log in again because of a key that has.
var ErrKey = errors.New("the api key")

// Fail returns an [Error] of this code, reason and cause. cause may be nil.
func Fail(code Code, reason Reason, cause error) *Error {
	return &Error{Code: code, Reason: reason, Err: cause}
}

func (e *Error) Error() string {
	text := e.Code.String()
	if e.Reason != "" {
		text += ": " + string(e.Reason)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an *[Error]. An error nobody classified becomes
// [Internal]; one that is only the context's end becomes [Unavailable], since
// the caller did nothing wrong. nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Error{Code: Unavailable, Reason: ReasonTimeout, Err: err}
	}
	return &Error{Code: Internal, Err: err}
}

// CodeOf returns the class of err, [Internal] where nobody classified it.
// err must not be nil.
func CodeOf(err error) Code { return AsError(err).Code }

// IsNotFound reports whether err says that a thing is absent; false for nil.
func IsNotFound(err error) bool { return err != nil && CodeOf(err) == NotFound }
