package admin

import (
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Admin manages one realm of a store.
type Admin struct {
	Store  store.Store
	Hasher *password.Hasher
	Now    func() time.Time
	Realm  string
}

func (a *Admin) now() time.Time { return store.Precise(a.Now()) }

// invalid is what an operator typed that cannot be; the text is for them.
func invalid(format string, args ...any) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, fmt.Errorf(format, args...))
}

// missing makes a sentence of [auth.NotFound] and leaves other errors.
func missing(err error, what, name string) error {
	if auth.IsNotFound(err) {
		return auth.Fail(auth.NotFound, "", fmt.Errorf("there is no %s %q", what, name))
	}
	return err
}

// taken makes a sentence of [auth.Conflict] and leaves other errors.
func taken(err error, what, name string) error {
	if err != nil && auth.CodeOf(err) == auth.Conflict {
		return auth.Fail(auth.Conflict, "", fmt.Errorf("%s %q, or a name of it, is in use already", what, name))
	}
	return err
}

func checkNames(what string, names []string) error {
	for _, n := range names {
		if !auth.ValidName(n) {
			return invalid("%s %q: one word of printable ASCII without comma, quote, backslash or asterisk", what, n)
		}
	}
	return nil
}

// Text returns the sentence of an error for an operator: the cause where there
// is one, else the error itself.
func Text(err error) string {
	if e, ok := errors.AsType[*auth.Error](err); ok && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

var errKeyKnown = errors.New("this key is in use already")

func missingKey(err error, id int64) error {
	if auth.IsNotFound(err) {
		return auth.Fail(auth.NotFound, "", fmt.Errorf("there is no key %d", id))
	}
	return err
}

// missingToken does not repeat what was asked for: it may be a token.
func missingToken(err error) error {
	if auth.IsNotFound(err) {
		return auth.Fail(auth.NotFound, "", errors.New("there is no such token, or it is past its time"))
	}
	return err
}
