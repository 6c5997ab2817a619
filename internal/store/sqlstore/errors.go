package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

var errClosed = errors.New("the store is closed")

// failure returns err as what a caller of the store is told: see package
// store for the codes. An [auth.Error] stays as it is.
func (f *flavour) failure(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	if errors.Is(err, sql.ErrNoRows) {
		return absent()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable(err)
	}
	switch f.classify(err) {
	case faultConflict:
		return auth.Fail(auth.Conflict, "", err)
	case faultAbsent:
		return absent()
	case faultSize:
		return auth.Fail(auth.Malformed, auth.ReasonTooLarge, err)
	case faultOurs:
		return auth.Fail(auth.Internal, auth.ReasonStore, err)
	default:
		return unavailable(err)
	}
}

// fatal reports whether err ended the transaction in which it happened.
func (f *flavour) fatal(err error) bool { return auth.CodeOf(f.failure(err)) == auth.Unavailable }

func absent() error { return auth.Fail(auth.NotFound, auth.ReasonUnknown, nil) }

func conflict() error { return auth.Fail(auth.Conflict, "", nil) }

func unavailable(err error) error { return auth.Fail(auth.Unavailable, auth.ReasonStore, err) }

func malformed(text string) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, errors.New(text))
}
