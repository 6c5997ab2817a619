package logintoken

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Service is what this dialect needs of the session service, with the errors
// that are documented there.
type Service interface {
	Resolve(ctx context.Context, c bearer.Credential) (*auth.Principal, error)
	Revoke(ctx context.Context, token string) error
	LoginPassword(ctx context.Context, username string, password auth.Secret) (session.Issued, error)
	IdentityOf(ctx context.Context, p *auth.Principal) (session.Identity, error)
	Redeem(ctx context.Context, id string, text auth.Secret, associate bool) (session.Issued, error)

	CreateLoginTokens(ctx context.Context, p *auth.Principal, associates ...string) ([]session.LoginToken, error)
	LoginTokens(ctx context.Context, p *auth.Principal, q session.Query) ([]session.LoginToken, int, error)
	ChangeLoginToken(ctx context.Context, p *auth.Principal, id string, q session.Query, c session.LoginTokenChange) (session.LoginToken, error)
	ChangeLoginTokens(ctx context.Context, p *auth.Principal, q session.Query, c session.LoginTokenChange) ([]session.LoginToken, error)
	RemoveLoginTokens(ctx context.Context, p *auth.Principal, q session.Query) ([]session.LoginToken, error)
}

// api answers the calls of one login block.
type api struct {
	service Service
	// The paths of the three services.
	base, login, authentication string
	// client is where a redeemed link leads, nil for an answer in JSON.
	client  *url.URL
	methods []string
	maxBody int64
	cors    dialect.CORS
}

// New returns the dialect for one login block. cfg's options have passed
// their checks; what they say together is checked here.
func New(cfg dialect.Config, s Service) (dialect.Dialect, error) {
	if err := cfg.CheckBase(); err != nil {
		return nil, err
	}
	cors, err := dialect.NewCORS(cfg.CORS, "Authorization", "Content-Type")
	if err != nil {
		return nil, err
	}
	a := &api{
		service: s, base: cfg.Base, login: siblingPath(cfg, optLogin), authentication: siblingPath(cfg, optAuthentication),
		methods: recordMethods, maxBody: cfg.BodyLimit(), cors: cors,
	}
	if names := cfg.Options[optMethods]; len(names) > 0 {
		a.methods = names
	}
	if text := cfg.Arg(optClientURL, ""); text != "" {
		if a.client, err = url.Parse(strings.TrimSuffix(text, "/")); err != nil {
			return nil, fmt.Errorf("%s: %w", optClientURL, err)
		}
	}
	if err := a.checkPaths(); err != nil {
		return nil, err
	}
	return a, checkLives(cfg)
}

// siblingNames are the paths beside the base path, by the option that moves
// them.
var siblingNames = map[string]string{optLogin: "login", optAuthentication: "authentication"}

// siblingPath returns a path beside the base path, where no option moves it.
func siblingPath(cfg dialect.Config, option string) string {
	return cfg.Arg(option, path.Join(path.Dir(cfg.Base), siblingNames[option]))
}

// checkPaths refuses paths of which one would answer for another.
func (a *api) checkPaths() error {
	routes := a.Routes()
	for i, r := range routes {
		if n := slices.IndexFunc(routes[:i], r.Overlaps); n >= 0 {
			return fmt.Errorf("%s and %s overlap: move one of them with %s or %s", routes[n].Path, r.Path, optLogin, optAuthentication)
		}
	}
	return nil
}

// checkLives refuses a life that the dates of this wire, which have whole
// seconds, cannot tell.
func checkLives(cfg dialect.Config) error {
	ttl, most := loginTokenTTL(cfg), cfg.Duration(optMaxTTL, defaultMaxTTL)
	if ttl < leastTTL || ttl%time.Second != 0 {
		return fmt.Errorf("ttl %v is not a number of whole seconds", ttl)
	}
	if ttl > most {
		return fmt.Errorf("ttl %v is longer than %s %v", ttl, optMaxTTL, most)
	}
	return nil
}

// Routes are the base path and the two beside it, and all below them. Feathers
// matches them in this case only.
func (a *api) Routes() []dialect.Route {
	return []dialect.Route{{Path: a.base}, {Path: a.login}, {Path: a.authentication}}
}
