package logintoken

import (
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

// The options of this dialect.
const (
	// optMethods names the methods of the service that are served. The
	// original serves create alone, its page documents patch.
	optMethods = "methods"
	// optAccessTTL is the life of a JWT.
	optAccessTTL = "access_ttl"
	// optMaxTTL is how long after its creation a login token can be made to
	// expire.
	optMaxTTL = "max_ttl"
	// optClientURL answers a redeemed link with a redirection to the client.
	optClientURL = "client_url"
	// optLogin and optAuthentication move the paths beside the base path.
	optLogin          = "login_path"
	optAuthentication = "authentication_path"
)

const (
	defaultTTL       = 10 * time.Minute
	defaultAccessTTL = 30 * 24 * time.Hour
	defaultMaxTTL    = 24 * time.Hour
	// leastTTL is what the dates of this wire can tell.
	leastTTL = time.Second
	// mostTTL stops a mistyped life from being for ever.
	mostTTL = 10 * 365 * 24 * time.Hour
)

// Kind describes the dialect.
func Kind() dialect.Kind {
	return dialect.Kind{
		Name:        "login_token",
		Base:        "/login-token",
		TTL:         defaultTTL,
		Credentials: func(dialect.Config) []bearer.Spec { return []bearer.Spec{credential} },
		Refused: map[string]string{
			"idle":   "its tokens live for a fixed time, used or not",
			"format": "its clients read their access token as a JWT",
		},
		Options: []dialect.Option{
			{Name: optMethods, Usage: "create|find|get|patch|remove…", Check: checkMethods},
			dialect.Lasting(optAccessTTL, leastTTL, mostTTL),
			dialect.Lasting(optMaxTTL, leastTTL, mostTTL),
			{Name: optClientURL, Usage: "<url>", Check: checkClientURL},
			{Name: optLogin, Usage: "<path>", Check: checkPath},
			{Name: optAuthentication, Usage: "<path>", Check: checkPath},
		},
		Session: sessions,
		Renamed: func(cfg dialect.Config) map[string]string {
			return map[string]string{"/login": siblingPath(cfg, optLogin), "/authentication": siblingPath(cfg, optAuthentication)}
		},
		TokenPaths: func(cfg dialect.Config) []string {
			return []string{cfg.Base, siblingPath(cfg, optLogin), siblingPath(cfg, optAuthentication)}
		},
		New: func(cfg dialect.Config, s *session.Service) (dialect.Dialect, error) {
			return New(cfg, s)
		},
	}
}

// credential is what every call brings: a JWT or an API key, after the scheme
// Bearer or JWT in any case, or after none.
var credential = bearer.Spec{Kind: auth.Bearer, Lenient: true, Keys: true}

// sessions says what the sessions of this dialect are like. ttl is the life of
// a login token; the JWTs that it is traded for have a life of their own.
func sessions(cfg dialect.Config, s *session.Config) {
	s.JWT, s.Identity, s.WholeSeconds = true, true, true
	s.TTL = cfg.Duration(optAccessTTL, defaultAccessTTL)
	s.LoginTokenTTL = loginTokenTTL(cfg)
	s.MaxTTL = cfg.Duration(optMaxTTL, defaultMaxTTL)
}

func loginTokenTTL(cfg dialect.Config) time.Duration {
	if cfg.TTL == 0 {
		return defaultTTL
	}
	return cfg.TTL
}

func checkMethods(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("it needs one or more of %s", strings.Join(recordMethods, ", "))
	}
	for i, name := range args {
		if !slices.Contains(recordMethods, name) {
			return fmt.Errorf("%q is no method: it can be %s", name, strings.Join(recordMethods, ", "))
		}
		if slices.Contains(args[:i], name) {
			return fmt.Errorf("%q stands twice", name)
		}
	}
	return nil
}

// checkClientURL asks for what a path and a query can be put behind.
func checkClientURL(args []string) error {
	text, err := dialect.OneArgument(args, "URL")
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(text, "?#") {
		return fmt.Errorf("%q is not the URL of a client: http or https, a host and at most a path", text)
	}
	return nil
}

// checkPath asks for a path that reads in one way only.
func checkPath(args []string) error {
	text, err := dialect.OneArgument(args, "path")
	if err != nil {
		return err
	}
	if text == "/" || !strings.HasPrefix(text, "/") || path.Clean(text) != text || strings.ContainsFunc(text, oddInPath) {
		return fmt.Errorf("%q is not a path like /login, without a slash at the end", text)
	}
	return nil
}

func oddInPath(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`%?#;\"*{}[]<>`, c) }
