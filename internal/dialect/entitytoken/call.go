package entitytoken

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// get gives the token back, the same until it is refreshed.
func (d *Dialect) get(w http.ResponseWriter, r *http.Request, p session.Place) error {
	t, err := d.service.EntityToken(r.Context(), p)
	if err != nil {
		return err
	}
	send(w, http.StatusOK, done(t))
	return nil
}

// create makes a token, or leaves the one that is there.
func (d *Dialect) create(w http.ResponseWriter, r *http.Request, p session.Place) error {
	if _, err := d.readObject(w, r); err != nil {
		return err
	}
	t, err := d.service.CreateEntityToken(r.Context(), p)
	if err != nil {
		return err
	}
	send(w, http.StatusCreated, done(t))
	return nil
}

func (d *Dialect) remove(w http.ResponseWriter, r *http.Request, p session.Place) error {
	if _, err := d.readObject(w, r); err != nil {
		return err
	}
	if err := d.service.DeleteEntityToken(r.Context(), p); err != nil {
		return err
	}
	send(w, http.StatusOK, done(session.EntityToken{}))
	return nil
}

func (d *Dialect) change(w http.ResponseWriter, r *http.Request, p session.Place) error {
	c, err := d.readChange(w, r)
	if err != nil {
		return err
	}
	err = d.service.ChangeEntityToken(r.Context(), p, c)
	if err != nil && auth.CodeOf(err) == auth.Malformed {
		// All else was looked at already.
		return auth.Fail(auth.Malformed, auth.ReasonForm, dialect.FieldErrors{{Field: expiryField, Problem: "is later than a token may live"}})
	}
	if err != nil {
		return err
	}
	send(w, http.StatusOK, done(session.EntityToken{}))
	return nil
}

// refresh replaces the token. A token that is not the current one is a bad
// request here: the caller is known all the same.
func (d *Dialect) refresh(w http.ResponseWriter, r *http.Request, p session.Place) error {
	old, err := d.readRefresh(w, r)
	if err != nil {
		return err
	}
	t, err := d.service.RefreshEntityToken(r.Context(), p, old)
	if err != nil && auth.CodeOf(err) == auth.InvalidCredential {
		return auth.Fail(auth.Malformed, auth.ReasonMismatch, dialect.FieldErrors{{Field: tokenField, Problem: "is not the current token"}})
	}
	if err != nil {
		return err
	}
	send(w, http.StatusOK, done(t))
	return nil
}
