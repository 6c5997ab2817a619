package logintoken

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// guestRole marks accounts that have not said who they are.
const guestRole = "guest"

// asked reads what every call on records brings: its caller, then its query.
func (a *api) asked(r *http.Request) (*auth.Principal, query, error) {
	p, err := a.caller(r)
	if err != nil {
		return nil, query{}, err
	}
	q, err := parseQuery(r.URL.RawQuery)
	return p, q, err
}

// create answers POST: a record, or an array of them for an array.
func (a *api) create(w http.ResponseWriter, r *http.Request, _ string) {
	p, q, err := a.asked(r)
	if err == nil && p.HasRole(guestRole) {
		err = auth.Fail(auth.Malformed, auth.ReasonRole, shown("This can only generate a login link for a non-guest user"))
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	made, many, err := a.made(w, r, p)
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case many:
		write(w, http.StatusCreated, q.show(made))
	default:
		write(w, http.StatusCreated, q.show(made)[0])
	}
}

func (a *api) made(w http.ResponseWriter, r *http.Request, p *auth.Principal) (made []session.LoginToken, many bool, err error) {
	body, err := a.readBody(w, r)
	if err != nil {
		return nil, false, err
	}
	list, many, err := decodeCreate(body)
	if err != nil || len(list) == 0 {
		return nil, many, err
	}
	associates := make([]string, len(list))
	for i, d := range list {
		associates[i] = d.associate()
	}
	made, err = a.service.CreateLoginTokens(r.Context(), p, associates...)
	return made, many, explained(err)
}

// find answers GET: a page of records.
func (a *api) find(w http.ResponseWriter, r *http.Request, _ string) {
	p, q, err := a.asked(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	page := q.page()
	show := page
	if page.Limit == 0 { // a count is wanted, and a store would read 0 as all
		show.Limit = 1
	}
	found, total, err := a.service.LoginTokens(r.Context(), p, q.session(show))
	if err != nil {
		a.refuse(w, r, explained(err))
		return
	}
	write(w, http.StatusOK, list{total, page.Limit, page.Offset, q.show(found[:min(len(found), page.Limit)])})
}

// get answers GET of one record.
func (a *api) get(w http.ResponseWriter, r *http.Request, id string) {
	p, q, err := a.asked(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	one, ok := q.only(id)
	if !ok {
		a.refuse(w, r, noRecord(id))
		return
	}
	found, _, err := a.service.LoginTokens(r.Context(), p, one)
	a.answerOne(w, r, q, id, found, err)
}

// remove answers DELETE: of one record, or of those that the query selects.
func (a *api) remove(w http.ResponseWriter, r *http.Request, id string) {
	p, q, err := a.asked(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if id == "" {
		removed, err := a.removed(r, p, q)
		a.answerMany(w, r, q, removed, err)
		return
	}
	one, ok := q.only(id)
	if !ok {
		a.refuse(w, r, noRecord(id))
		return
	}
	removed, err := a.service.RemoveLoginTokens(r.Context(), p, one)
	a.answerOne(w, r, q, id, removed, err)
}

func (a *api) removed(r *http.Request, p *auth.Principal, q query) ([]session.LoginToken, error) {
	if q.limit == 0 {
		return nil, nil
	}
	return a.service.RemoveLoginTokens(r.Context(), p, q.session(q.changes()))
}

// patch answers PATCH: of one record, or of those that the query selects.
func (a *api) patch(w http.ResponseWriter, r *http.Request, id string) {
	p, q, err := a.asked(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	body, err := a.readBody(w, r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	d, err := decodePatch(body)
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case id == "":
		changed, err := a.changed(r, p, q, d.change())
		a.answerMany(w, r, q, changed, err)
	default:
		changed, err := a.changedOne(r, p, q, id, d.change())
		a.answerOne(w, r, q, id, changed, err)
	}
}

func (a *api) changed(r *http.Request, p *auth.Principal, q query, c session.LoginTokenChange) ([]session.LoginToken, error) {
	if q.limit == 0 {
		return nil, nil
	}
	return a.service.ChangeLoginTokens(r.Context(), p, q.session(q.changes()), c)
}

func (a *api) changedOne(r *http.Request, p *auth.Principal, q query, id string, c session.LoginTokenChange) ([]session.LoginToken, error) {
	canonical, ok := token.ParseGUID(id)
	if !ok {
		return nil, noRecord(id)
	}
	t, err := a.service.ChangeLoginToken(r.Context(), p, canonical, q.session(session.Page{}), c)
	return []session.LoginToken{t}, err
}

// only returns the query for the one record of an id, if the query selects it.
// What is no UUID is no record's id.
func (q query) only(id string) (session.Query, bool) {
	canonical, ok := token.ParseGUID(id)
	q.add(session.Filter{Field: session.FieldID, Op: session.Equal, Values: []any{canonical}})
	return session.Query{Where: q.where}, ok
}

func noRecord(id string) error {
	return auth.Fail(auth.NotFound, "", shown("No record found for id '"+cut(id)+"'"))
}

func (a *api) answerMany(w http.ResponseWriter, r *http.Request, q query, tokens []session.LoginToken, err error) {
	if err != nil {
		a.refuse(w, r, explained(err))
		return
	}
	write(w, http.StatusOK, q.show(tokens))
}

// answerOne answers with the one record that was found, changed or removed.
// One that is not there and one that the caller may not see are the same.
func (a *api) answerOne(w http.ResponseWriter, r *http.Request, q query, id string, tokens []session.LoginToken, err error) {
	if auth.IsNotFound(err) || err == nil && len(tokens) == 0 {
		err = noRecord(id)
	}
	if err != nil {
		a.refuse(w, r, explained(err))
		return
	}
	write(w, http.StatusOK, q.show(tokens)[0])
}

// explained says in the words of this wire what the service refused. Too much
// to change is a bad request, and no body that is too large.
func explained(err error) error {
	e := auth.AsError(err)
	if e == nil {
		return nil
	}
	switch {
	case e.Code == auth.InsufficientScope:
		return auth.Fail(e.Code, e.Reason, shown("You can only do this as a user, and for yourself"))
	case e.Code != auth.Malformed:
		return err
	}
	return auth.Fail(auth.Malformed, auth.ReasonForm, whyMalformed(e))
}

func whyMalformed(e *auth.Error) shown {
	switch {
	case errors.Is(e, session.ErrLife):
		return "expiresAt is later than this server allows"
	case e.Reason == auth.ReasonExpired:
		return "A login token that has expired cannot be changed"
	case e.Reason == auth.ReasonMismatch:
		return "Only expiresAt and associateUserId of a login token can be changed"
	case e.Reason == auth.ReasonUnknown:
		return "associateUserId is no user"
	case e.Reason == auth.ReasonTooLarge:
		return "That is too many records for one call"
	}
	return "The request cannot be carried out"
}
