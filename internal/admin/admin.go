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
	if text := sentence(err); text != "" {
		return text
	}
	return err.Error()
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

// unfit says why a name is none, in the words of the rule that it breaks.
func unfit(what, name string, err error) error {
	why := "it is too long or holds a NUL"
	if text := sentence(err); text != "" {
		why = text
	}
	return invalid("%s %q cannot be: %s", what, name, why)
}
