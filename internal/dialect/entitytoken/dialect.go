package entitytoken

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Dialect answers the calls of the entity authentication token below one base
// path.
type Dialect struct {
	base    string
	route   dialect.Route
	limit   int64
	cors    dialect.CORS
	service Service
}

var _ dialect.Dialect = (*Dialect)(nil)

// Routes returns the base path, or the calls alone where the others below it
// are forwarded. In any case: another spelling of a call, which is matched
// exactly, is no way to an upstream that reads both as one.
func (d *Dialect) Routes() []dialect.Route { return []dialect.Route{d.route} }

// ServeHTTP answers one call.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := d.target(r.URL.Path)
	if !ok {
		d.fail(w, r, auth.Fail(auth.NotFound, auth.ReasonPath, nil))
		return
	}
	if d.cors.Answer(w, r, t.methods()...) {
		return
	}
	if err := d.serve(w, r, t); err != nil {
		d.fail(w, r, err)
	}
}

// Refuse answers a guarded request in the dialect's error shape.
func (*Dialect) Refuse(w http.ResponseWriter, _ *http.Request, refusal dialect.Refusal) {
	p := judge(refusal.Err)
	// Only a user token has a user to log in again: one that is made up by an
	// entity token is refreshed.
	p.expired = p.expired && refusal.Credential.Entity == ""
	p.write(w)
}

// target is what a path names.
type target struct {
	entity, user string
	refresh      bool
}

const (
	usersSegment   = "users"
	tokenSegment   = "authentication-token"
	refreshSegment = "refresh"
)

// target reads a path, which the gateway has decoded and looked through: a
// segment holds no slash, and there are no empty ones.
func (d *Dialect) target(path string) (target, bool) {
	rest, ok := strings.CutPrefix(path, d.base+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 4 || parts[0] == "" || parts[1] != usersSegment || parts[2] == "" || parts[3] != tokenSegment {
		return target{}, false
	}
	t := target{entity: parts[0], user: parts[2]}
	switch {
	case len(parts) == 4:
		return t, true
	case len(parts) == 5 && parts[4] == refreshSegment:
		t.refresh = true
		return t, true
	}
	return target{}, false
}

// call is one call of the API by a caller who may have the token of a place.
type call func(d *Dialect, w http.ResponseWriter, r *http.Request, p session.Place) error

var (
	tokenCalls = map[string]call{
		http.MethodGet: (*Dialect).get, http.MethodPost: (*Dialect).create,
		http.MethodPatch: (*Dialect).change, http.MethodDelete: (*Dialect).remove,
	}
	refreshCalls = map[string]call{http.MethodPost: (*Dialect).refresh}
)

// methods lists those of a path, in the order in which Allow names them.
func (t target) methods() []string {
	if t.refresh {
		return []string{http.MethodPost}
	}
	return []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete}
}

func (t target) calls() map[string]call {
	if t.refresh {
		return refreshCalls
	}
	return tokenCalls
}

// serve finds the call, then who makes it, and only then reads a body.
func (d *Dialect) serve(w http.ResponseWriter, r *http.Request, t target) error {
	c, ok := t.calls()[r.Method]
	if !ok {
		w.Header().Set("Allow", strings.Join(t.methods(), ", "))
		return auth.Fail(auth.Malformed, auth.ReasonMethod, nil)
	}
	if r.Method != http.MethodGet && dialect.EarlyData(r) {
		return auth.Fail(auth.Malformed, auth.ReasonEarlyData, nil)
	}
	who, err := credential(r)
	if err != nil {
		return err
	}
	p, err := d.service.EntityPlace(r.Context(), who, t.entity, t.user)
	if err != nil {
		return err
	}
	return c(d, w, r, p)
}

// credential reads the three fields of a caller. The public client sends the
// entity token as well once it has one; here it stands in for nothing, so that
// an old one is in nobody's way.
func credential(r *http.Request) (bearer.Credential, error) {
	c, present, err := bearer.Spec{Kind: auth.KeyUserToken}.Read(r)
	if err != nil {
		return bearer.Credential{}, err
	}
	if !present {
		return bearer.Credential{}, auth.Fail(auth.NoCredential, "", nil)
	}
	if c.User == "" || c.Token == "" {
		return bearer.Credential{}, auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, nil)
	}
	c.Entity = ""
	return c, nil
}
