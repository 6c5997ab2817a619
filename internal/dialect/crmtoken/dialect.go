package crmtoken

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// Dialect answers the three calls below one base path.
type Dialect struct {
	base  string
	limit int64
	// statuses is the option http_errors.
	statuses bool
	cors     dialect.CORS
	service  Service
}

var _ dialect.Dialect = (*Dialect)(nil)

// Routes returns the base path and all below it, in this case only: so do the
// Java servers that the original runs on.
func (d *Dialect) Routes() []dialect.Route {
	return []dialect.Route{{Path: d.base}}
}

// call is one call of the API. It answers a success itself and returns what
// went wrong.
type call struct {
	serve func(d *Dialect, w http.ResponseWriter, r *http.Request) error
	// judge says how a failure of this call is told.
	judge func(*auth.Error) failure
}

// calls are those of the API by what follows the base path.
var calls = map[string]call{
	"/token":             {(*Dialect).login, loginFailure},
	"/token/release":     {(*Dialect).release, tokenFailure},
	"/web_api_key/token": {(*Dialect).loginKey, keyFailure},
}

// ServeHTTP answers a call.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := d.call(r.URL.Path)
	if !ok {
		d.refuse(w, r, notFound, auth.Fail(auth.NotFound, auth.ReasonPath, nil))
		return
	}
	if d.cors.Answer(w, r, http.MethodPost) {
		return
	}
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		d.refuse(w, r, wrongMethod, auth.Fail(auth.Malformed, auth.ReasonMethod, nil))
	case dialect.EarlyData(r):
		d.refuse(w, r, tooEarly, auth.Fail(auth.Malformed, auth.ReasonEarlyData, nil))
	default:
		if err := c.serve(d, w, r); err != nil {
			d.refuse(w, r, c.judge(auth.AsError(err)), err)
		}
	}
}

// call returns the call at path. One slash may stand at its end.
func (d *Dialect) call(path string) (call, bool) {
	below, ok := strings.CutPrefix(path, d.base)
	if !ok {
		return call{}, false
	}
	c, ok := calls[strings.TrimSuffix(below, "/")]
	return c, ok
}

// login trades a user or an access identifier for a token.
func (d *Dialect) login(w http.ResponseWriter, r *http.Request) error {
	body, err := d.readBody(w, r)
	if err != nil {
		return err
	}
	l, err := parseLogin(body)
	if err != nil {
		return err
	}
	issued, err := d.service.LoginTenant(r.Context(), l)
	if err != nil {
		return err
	}
	writeToken(w, issued)
	return nil
}

// readKey returns the username of Basic, which is a web API key. One that
// cannot be read is a wrong one; only two of them are a fault of the request.
func readKey(r *http.Request) (auth.Secret, error) {
	c, sent, err := bearer.Spec{Kind: auth.Basic}.Read(r)
	switch {
	case err != nil && auth.AsError(err).Reason == auth.ReasonForm:
		return auth.Secret{}, auth.Fail(auth.InvalidCredential, auth.ReasonForm, err)
	case err != nil:
		return auth.Secret{}, err
	case !sent:
		return auth.Secret{}, auth.Fail(auth.NoCredential, "", nil)
	}
	return auth.NewSecret(c.Key), nil
}

// loginKey trades a web API key for a token.
func (d *Dialect) loginKey(w http.ResponseWriter, r *http.Request) error {
	key, err := readKey(r)
	if err != nil {
		return err
	}
	body, err := d.readBody(w, r)
	if err != nil {
		return err
	}
	unit, err := parseKeyLogin(body)
	if err != nil {
		return err
	}
	issued, err := d.service.LoginTenantKey(r.Context(), key, unit)
	if err != nil {
		return err
	}
	writeToken(w, issued)
	return nil
}

// release gives a token up.
func (d *Dialect) release(w http.ResponseWriter, r *http.Request) error {
	body, err := d.readBody(w, r)
	if err != nil {
		return err
	}
	text, err := parseRelease(body)
	if err != nil {
		return err
	}
	if err := d.service.Release(r.Context(), text); err != nil {
		return err
	}
	write(w, http.StatusOK, answer{Status: status{Code: codeOK}})
	return nil
}

// refuse answers one of the dialect's own calls that failed.
func (d *Dialect) refuse(w http.ResponseWriter, r *http.Request, f failure, err error) {
	dialect.Refused(r.Context(), err)
	f.write(w, d.statuses)
}

// Refuse answers a guarded request that was refused.
func (d *Dialect) Refuse(w http.ResponseWriter, _ *http.Request, refusal dialect.Refusal) {
	tokenFailure(refusal.Err).write(w, d.statuses)
}
