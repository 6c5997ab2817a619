package timedlogin

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// Dialect answers POST login at one base path.
type Dialect struct {
	base     string
	limit    int64
	distinct bool
	media    media
	cors     dialect.CORS
	service  Service
}

var _ dialect.Dialect = (*Dialect)(nil)

// Routes returns the base path, in any case.
func (d *Dialect) Routes() []dialect.Route {
	return []dialect.Route{{Path: d.base, Fold: true}}
}

// ServeHTTP answers the login, refuses advAuth and knows nothing else.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := d.media.forLogin(r)
	call := d.call(r.URL.Path)
	switch {
	case call == nil:
		dialect.Refused(r.Context(), auth.Fail(auth.NotFound, auth.ReasonPath, nil))
		notFound.write(w, out)
	case d.cors.Answer(w, r, http.MethodPost):
	case r.Method != http.MethodPost:
		dialect.Refused(r.Context(), auth.Fail(auth.Malformed, auth.ReasonMethod, nil))
		w.Header().Set("Allow", http.MethodPost)
		wrongMethod.write(w, out)
	default:
		call(d, w, r, out)
	}
}

// Refuse answers a guarded request in the dialect's error shape. It follows
// Accept alone: what a guarded request carries is not ours to read.
func (d *Dialect) Refuse(w http.ResponseWriter, r *http.Request, refusal dialect.Refusal) {
	p := guardProblem(refusal)
	if c := challenge(refusal.Err.Code, p.status); c != "" {
		w.Header().Set("WWW-Authenticate", c)
	}
	p.write(w, d.media.forGuard(r))
}

// call is one call of the API, answered in the media type out.
type call func(d *Dialect, w http.ResponseWriter, r *http.Request, out string)

// call returns the call at path, nil for none. ASP.NET's routes match in any
// case, and with a slash at the end.
func (d *Dialect) call(path string) call {
	path = strings.TrimSuffix(path, "/")
	switch {
	case d.at("", path):
		return (*Dialect).login
	case d.at("/advAuth", path):
		return (*Dialect).advAuth
	}
	return nil
}

func (d *Dialect) at(below, path string) bool {
	return dialect.Route{Path: d.base + below, Fold: true, Exact: true}.Covers(path)
}

// login trades a login name and a key for a token.
func (d *Dialect) login(w http.ResponseWriter, r *http.Request, out string) {
	if dialect.EarlyData(r) {
		dialect.Refused(r.Context(), auth.Fail(auth.Malformed, auth.ReasonEarlyData, nil))
		tooEarly.write(w, out)
		return
	}
	req, err := d.readLogin(w, r)
	if err != nil {
		d.fail(w, r, out, err)
		return
	}
	issued, err := d.service.LoginKey(r.Context(), req.userLogin, req.apiKey)
	if err != nil {
		d.fail(w, r, out, err)
		return
	}
	write(w, http.StatusOK, out, newLoginResp(issued))
}

// fail answers a login that failed. RFC 9110 section 15.5.2 wants a challenge
// with every 401; it names the scheme of what a login gives.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, out string, err error) {
	dialect.Refused(r.Context(), err)
	p := d.loginProblem(err)
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", bearer.Challenge(auth.NoCredential, ""))
	}
	p.write(w, out)
}

// advAuth is a login whose cipher was never published and that public
// installations have switched off.
func (d *Dialect) advAuth(w http.ResponseWriter, r *http.Request, out string) {
	dialect.Refused(r.Context(), auth.Fail(auth.InsufficientScope, auth.ReasonUnsupported, nil))
	noPermission.write(w, out)
}
