package management

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// login answers POST login.
func (a *api) login(w http.ResponseWriter, r *http.Request) {
	in, err := a.readLogin(w, r)
	if err != nil {
		a.refuse(w, r, loginShape, err)
		return
	}
	if err := a.checkLoginKey(r); err != nil {
		a.refuse(w, r, loginShape, err)
		return
	}
	issued, err := a.service.LoginPassword(r.Context(), in.username, in.password)
	if err != nil {
		a.loginFailed(w, r, err)
		return
	}
	write(w, r, http.StatusOK, loginAnswer{
		envelope:  fine,
		Token:     issued.Token.Reveal(),
		ExpiresIn: int64(issued.TTL / time.Second),
	})
}

// loginFailed answers as refuse does, save that what the caller's own words
// caused is one answer, whatever it was, with a status of its own.
func (a *api) loginFailed(w http.ResponseWriter, r *http.Request, err error) {
	if auth.CodeOf(err) != auth.InvalidCredential {
		a.refuse(w, r, loginShape, err)
		return
	}
	if a.loginFailure == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	write(w, r, a.loginFailure, loginShape(envelope{
		Code:    http.StatusUnauthorized,
		Message: "The username or the password is wrong.",
	}))
}

// checkLoginKey verifies the key where login asks for one. Any key of the
// realm will do: it stands for the application, not for who logs in.
func (a *api) checkLoginKey(r *http.Request) error {
	if !a.loginKey {
		return nil
	}
	key, sent, err := a.key.Read(r)
	if err != nil {
		return err
	}
	if !sent {
		return auth.Fail(auth.NoCredential, "", nil)
	}
	_, err = a.service.Resolve(r.Context(), key)
	return err
}

// loginRequest is the body of POST login.
type loginRequest struct {
	username string
	password auth.Secret
}

func (a *api) readLogin(w http.ResponseWriter, r *http.Request) (loginRequest, error) {
	body, err := a.readBody(w, r)
	if err != nil {
		return loginRequest{}, err
	}
	return decodeLogin(body)
}

// decodeLogin reads `{"username","password"}`, both required and not empty.
func decodeLogin(body []byte) (loginRequest, error) {
	o, err := dialect.ParseObject(body, dialect.FoldNames)
	if err != nil {
		return loginRequest{}, err
	}
	username, password := o.Required("username"), o.Required("password")
	if err := o.Err(); err != nil {
		return loginRequest{}, err
	}
	return loginRequest{username, auth.NewSecret(password)}, nil
}
