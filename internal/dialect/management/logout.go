package management

import (
	"bytes"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// logout answers POST logout. It asks of the credentials only that they are
// there and have their form: a token that is unknown, or was revoked before,
// is answered as one that was revoked now. A key alone logs nobody out, and
// that is a success too.
func (a *api) logout(w http.ResponseWriter, r *http.Request) {
	if err := a.endSession(w, r); err != nil {
		a.refuse(w, r, plainShape, err)
		return
	}
	write(w, r, http.StatusOK, fine)
}

func (a *api) endSession(w http.ResponseWriter, r *http.Request) error {
	p, err := a.read(r)
	if err != nil {
		return err
	}
	if err := a.readNothing(w, r); err != nil {
		return err
	}
	if !p.hasToken {
		return nil
	}
	return a.service.Revoke(r.Context(), p.token.Token)
}

// readNothing reads a body that may be `{}`, null or nothing. Nothing has no
// content type that could be wrong: curl sends one all the same.
func (a *api) readNothing(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	body, err := a.readBody(w, r)
	if err != nil {
		return err
	}
	if dialect.Blank(body) || string(bytes.TrimSpace(body)) == "null" {
		return nil
	}
	_, err = dialect.ParseObject(body, dialect.FoldNames)
	return err
}
