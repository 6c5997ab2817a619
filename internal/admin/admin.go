package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Admin manages one realm of a store.
type Admin struct {
	Store  store.Store
	Hasher *password.Hasher
	Now    func() time.Time
	Realm  string
	// Ring opens the key ring, which only authentication codes and signing keys
	// need.
	Ring func(context.Context) (*token.Ring, error)
}

func (a *Admin) now() time.Time { return store.Precise(a.Now()) }

// invalid is what an operator typed that cannot be; the text is for them.
func invalid(format string, args ...any) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, fmt.Errorf(format, args...))
}

// refused is what cannot be done as things stand; the text is for the operator.
func refused(format string, args ...any) error {
	return auth.Fail(auth.Conflict, "", fmt.Errorf(format, args...))
}

// missing makes a sentence of [auth.NotFound] and leaves other errors.
func missing(err error, what, name string) error {
	if auth.IsNotFound(err) {
		return auth.Fail(auth.NotFound, "", fmt.Errorf("there is no %s %q", what, name))
	}
	return err
}

// taken makes a sentence of [auth.Conflict] and leaves other errors.
func taken(err error, format string, args ...any) error {
	if err != nil && auth.CodeOf(err) == auth.Conflict {
		return refused(format, args...)
	}
	return err
}

// settle makes a change anew that lost against another: do reads the row first,
// each time. It gives up where others change the row again and again.
func settle[T any](what string, do func() (T, error)) (row T, err error) {
	for range 5 {
		row, err = do()
		if err == nil || auth.CodeOf(err) != auth.Conflict || sentence(err) != "" {
			return row, err
		}
	}
	return row, refused("%s is being changed by others: try again", what)
}

func checkNames(what string, names []string) error {
	if err := auth.CheckCount(names); err != nil {
		return invalid("too many %ss: %w", what, err)
	}
	for _, n := range names {
		if !auth.ValidName(n) {
			return invalid("%s %q: one word of printable ASCII without comma, quote, backslash or asterisk", what, n)
		}
	}
	return nil
}

// Text returns the sentence of an error for an operator: the cause where there
// is one, else the error itself. That of a store says what it is about.
func Text(err error) string {
	text := sentence(err)
	switch e, ok := errors.AsType[*auth.Error](err); {
	case text == "":
		return err.Error()
	case ok && e.Code == auth.Unavailable && e.Reason == auth.ReasonStore:
		return "the store cannot be read or written: " + text
	}
	return text
}

// sentence returns the innermost cause of a classified error, "" where it has
// none.
func sentence(err error) string {
	text := ""
	for {
		e, ok := errors.AsType[*auth.Error](err)
		if !ok || e.Err == nil {
			return text
		}
		err, text = e.Err, e.Err.Error()
	}
}

func noMember(account, tenant string) error {
	return fmt.Errorf("the account %q is no member of the tenant %q", account, tenant)
}

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

// unfit says why a name is none. The reasons of package precis are for those
// who know its tables: the rule is told in their place.
func unfit(what, name string, err error) error {
	why := "it is too long (more than 256 bytes) or holds a NUL"
	switch {
	case sentence(err) == "":
	case what == "username", what == "identifier":
		why = "it is letters and digits of one writing direction and the punctuation of ASCII, without spaces (RFC 8265)"
	default:
		why = "it is letters, digits, punctuation, symbols and spaces, nothing else (RFC 8266)"
	}
	return invalid("%s %q cannot be: %s", what, name, why)
}
