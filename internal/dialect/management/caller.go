package management

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// presented is what a call brought to say who makes it.
type presented struct {
	token, key       bearer.Credential
	hasToken, hasKey bool
}

// read returns the credentials of a call, unverified, and refuses a call that
// brings too few.
func (a *api) read(r *http.Request) (presented, error) {
	list, err := a.chain.Read(r)
	if err != nil {
		return presented{}, invalidForm(err)
	}
	var p presented
	for i := range list.Len() {
		if c := list.At(i); c.Kind == auth.Bearer {
			p.token, p.hasToken = c, true
		} else {
			p.key, p.hasKey = c, true
		}
	}
	if !p.hasToken && !p.hasKey || a.both && p.hasToken != p.hasKey {
		return presented{}, auth.Fail(auth.NoCredential, "", nil)
	}
	return p, nil
}

// invalidForm makes a credential of the wrong form an invalid one: this API
// knows a 400 for bodies and a 401 for credentials. Two values of one source
// stay malformed.
func invalidForm(err error) error {
	if e := auth.AsError(err); e.Code == auth.Malformed && e.Reason == auth.ReasonForm {
		return auth.Fail(auth.InvalidCredential, e.Reason, err)
	}
	return err
}

// caller returns who makes a call, if they have this permission.
func (a *api) caller(r *http.Request, need auth.Permission) (*auth.Principal, error) {
	p, err := a.read(r)
	if err != nil {
		return nil, err
	}
	who, err := a.resolve(r, p)
	if err != nil {
		return nil, err
	}
	if !who.Permissions.Has(need) {
		return nil, auth.Fail(auth.InsufficientScope, auth.ReasonPermission, nil)
	}
	return who, nil
}

// resolve verifies everything that was presented. A bad token yields to a good
// key unless both are asked for; nothing yields the other way round.
func (a *api) resolve(r *http.Request, p presented) (*auth.Principal, error) {
	if !p.hasKey {
		return a.service.Resolve(r.Context(), p.token)
	}
	byKey, err := a.service.Resolve(r.Context(), p.key)
	if err != nil || !p.hasToken {
		return byKey, err
	}
	byToken, err := a.service.Resolve(r.Context(), p.token)
	if err != nil {
		if auth.CodeOf(err) == auth.InvalidCredential && !a.both {
			return byKey, nil
		}
		return nil, err
	}
	return a.same(byToken, byKey)
}

// same joins the two principals of one caller: two callers in one request
// could be read either way by whoever comes next. Where both credentials are
// asked for, the caller may do what both allow; else the token, which came of
// a password, is enough.
func (a *api) same(byToken, byKey *auth.Principal) (*auth.Principal, error) {
	if byToken.Subject != byKey.Subject {
		return nil, auth.Fail(auth.Malformed, auth.ReasonAmbiguous, errors.New("a token and a key of different callers"))
	}
	if !a.both {
		return byToken, nil
	}
	joined := *byToken
	joined.Permissions &= byKey.Permissions
	return &joined, nil
}
