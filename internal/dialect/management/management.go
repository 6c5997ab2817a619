package management

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Service is what this dialect needs of the session service, with the errors
// that are documented there.
type Service interface {
	LoginPassword(ctx context.Context, username string, password auth.Secret) (session.Issued, error)
	Resolve(ctx context.Context, c bearer.Credential) (*auth.Principal, error)
	Revoke(ctx context.Context, token string) error
	User(ctx context.Context, p *auth.Principal) (session.User, error)
	ChangeUser(ctx context.Context, p *auth.Principal, c session.ProfileChange) (session.User, error)
}

// api answers the calls below one base path.
type api struct {
	service Service
	base    string
	maxBody int64
	cors    dialect.CORS
	// chain reads the credentials of every call but login, key that of a
	// login where loginKey asks for one.
	chain    *bearer.Chain
	key      bearer.Spec
	loginKey bool
	// both asks for both credentials of one account.
	both bool
	// loginFailure is the status of a failed login.
	loginFailure int
	// random fills its argument: trace ids of problems come from it.
	random func([]byte)
}

// New returns the dialect for one login block. cfg's options have passed
// their checks; its base path and origins are checked here.
func New(cfg dialect.Config, s Service) (dialect.Dialect, error) {
	if err := cfg.CheckBase(); err != nil {
		return nil, err
	}
	specs := credentials(cfg)
	cors, err := dialect.NewCORS(cfg.CORS, "Authorization", "Content-Type", specs[1].Name)
	if err != nil {
		return nil, err
	}
	a := &api{
		service: s, base: cfg.Base, maxBody: cfg.BodyLimit(), cors: cors,
		key: specs[1], loginKey: cfg.Flag(optionLoginKey), both: cfg.Arg(optionCredentials, "either") == "both",
		loginFailure: http.StatusUnauthorized,
		random:       func(b []byte) { _, _ = rand.Read(b) }, // never fails: it ends the process instead
	}
	a.chain = bearer.NewChain(specs, yields())
	if a.both {
		a.chain = bearer.NewChain(specs, nil)
	}
	if cfg.Arg(optionFailureStatus, "") == "200" {
		a.loginFailure = http.StatusOK
	}
	return a, nil
}

// Routes is the base path and all below it, in any case.
func (a *api) Routes() []dialect.Route {
	return []dialect.Route{{Path: a.base, Fold: true}}
}

// call is one method of one path.
type call func(w http.ResponseWriter, r *http.Request)

// calls lists what stands below the base path. The methods of a path are in
// the order in which Allow names them.
func (a *api) calls(path string) (methods []string, serve map[string]call) {
	switch path {
	case "/login":
		return []string{http.MethodPost}, map[string]call{http.MethodPost: a.login}
	case "/user":
		return []string{http.MethodGet, http.MethodPost}, map[string]call{http.MethodGet: a.user, http.MethodPost: a.changeUser}
	case "/logout":
		return []string{http.MethodPost}, map[string]call{http.MethodPost: a.logout}
	}
	return nil, nil
}

// ServeHTTP answers one call.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	methods, serve := a.calls(a.below(r.URL.Path))
	if methods == nil {
		a.unserved(w, r, http.StatusNotFound, auth.ReasonPath)
		return
	}
	if a.cors.Answer(w, r, methods...) {
		return
	}
	c, ok := serve[r.Method]
	switch {
	case !ok:
		w.Header().Set("Allow", strings.Join(methods, ", "))
		a.unserved(w, r, http.StatusMethodNotAllowed, auth.ReasonMethod)
	case r.Method != http.MethodGet && dialect.EarlyData(r):
		a.unserved(w, r, http.StatusTooEarly, auth.ReasonEarlyData)
	default:
		c(w, r)
	}
}

// unserved answers a request that is none of the calls.
func (a *api) unserved(w http.ResponseWriter, r *http.Request, status int, reason auth.Reason) {
	dialect.Refused(r.Context(), auth.Fail(auth.Malformed, reason, nil))
	a.problem(w, problem{Status: status})
}

// below returns what of path follows the base, in lower case and without a
// slash at the end; "" where path is not below it.
func (a *api) below(path string) string {
	rest, ok := strings.CutPrefix(dialect.LowerASCII(path), dialect.LowerASCII(a.base))
	if !ok {
		return ""
	}
	return strings.TrimSuffix(rest, "/")
}
