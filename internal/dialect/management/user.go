package management

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// user answers GET user. The query's `request` is an empty message of the
// original's and says nothing.
func (a *api) user(w http.ResponseWriter, r *http.Request) {
	u, err := a.readUser(r)
	a.answerUser(w, r, u, err)
}

func (a *api) readUser(r *http.Request) (session.User, error) {
	who, err := a.caller(r, auth.Read)
	if err != nil {
		return session.User{}, err
	}
	return a.service.User(r.Context(), who)
}

// changeUser answers POST user.
func (a *api) changeUser(w http.ResponseWriter, r *http.Request) {
	u, err := a.storeUser(w, r)
	a.answerUser(w, r, u, err)
}

func (a *api) storeUser(w http.ResponseWriter, r *http.Request) (session.User, error) {
	who, err := a.caller(r, auth.Write)
	if err != nil {
		return session.User{}, err
	}
	body, err := a.readBody(w, r)
	if err != nil {
		return session.User{}, err
	}
	change, err := decodeChange(body)
	if err != nil {
		return session.User{}, err
	}
	u, err := a.service.ChangeUser(r.Context(), who, change)
	return u, blameEmail(err, change)
}

// blameEmail names the one member that only the service can judge.
func blameEmail(err error, change session.ProfileChange) error {
	if err == nil || change.Email == nil || auth.CodeOf(err) != auth.Malformed {
		return err
	}
	return auth.Fail(auth.Malformed, auth.ReasonForm, errors.Join(err,
		dialect.FieldErrors{{Field: "user.email", Problem: "must be an email address"}}))
}

func (a *api) answerUser(w http.ResponseWriter, r *http.Request, u session.User, err error) {
	if err != nil {
		a.refuse(w, r, userShape, err)
		return
	}
	write(w, r, http.StatusOK, userAnswer{fine, showUser(u)})
}
