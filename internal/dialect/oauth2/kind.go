// Package oauth2 is the standard way in, for clients that move away from a
// home-grown login: the token endpoint of OAuth 2.0 (RFC 6749) with the grants
// client_credentials and refresh_token, introspection (RFC 7662), revocation
// (RFC 7009), metadata (RFC 8414) and the public keys of JWTs (RFC 7517). A
// client is an API key: its id is the client_id, the key the client_secret.
//
// The package owns that wire format and its errors. What a client is, which
// scopes it may have, when a token ends and what a replay costs is for package
// session; how a key is published for package token.
package oauth2

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The options of this dialect.
const (
	// optRefreshTTL is for how long tokens are refreshed from one another.
	optRefreshTTL = "refresh_ttl"
	// optOverlap is for how long a refresh token answers again after its first
	// use, for clients that repeat a call.
	optOverlap = "overlap"
	// optNoRefresh issues access tokens alone (RFC 6749 section 4.4.3).
	optNoRefresh = "no_refresh"
	// optIssuer is the issuer identifier; without it each request names its
	// own.
	optIssuer = "issuer"
	// optAudience and optAlgorithm are the aud and the alg of JWTs.
	optAudience  = "audience"
	optAlgorithm = "algorithm"
)

const (
	defaultBase       = "/oauth2"
	defaultTTL        = time.Hour
	defaultRefreshTTL = 30 * 24 * time.Hour
	// maxRefreshTTL bounds the rows that used refresh tokens leave in the
	// store: they stay until their family ends.
	maxRefreshTTL = 365 * 24 * time.Hour
	// maxOverlap bounds for how long a stolen refresh token is as good as one
	// that was never used.
	maxOverlap = time.Minute
	// maxAudience bounds an option that is repeated in each token.
	maxAudience = 256
)

// Kind describes the dialect.
func Kind() dialect.Kind {
	return dialect.Kind{
		Name: "oauth2",
		Base: defaultBase,
		TTL:  defaultTTL,
		Credentials: func(dialect.Config) []bearer.Spec {
			return []bearer.Spec{{Kind: auth.Bearer}}
		},
		Refused: map[string]string{
			"idle": "expires_in tells a client when its token ends, and using the token does not move that",
		},
		Options: []dialect.Option{
			dialect.Lasting(optRefreshTTL, time.Second, maxRefreshTTL),
			dialect.Lasting(optOverlap, 0, maxOverlap),
			dialect.Flag(optNoRefresh),
			{Name: optIssuer, Usage: "<https URL>", Check: checkIssuer},
			{Name: optAudience, Usage: "<text>", Check: checkAudience},
			{Name: optAlgorithm, Usage: strings.Join(token.AccessAlgorithms, "|"), Check: checkAlgorithm},
		},
		Session: sessions,
		Renamed: func(cfg dialect.Config) map[string]string {
			return map[string]string{wellKnown + defaultBase: wellKnown + cfg.Base}
		},
		New: func(cfg dialect.Config, s *session.Service) (dialect.Dialect, error) {
			return New(cfg, s)
		},
	}
}

// sessions fills in what the tokens are like. The options have been checked.
func sessions(cfg dialect.Config, s *session.Config) {
	s.Overlap = cfg.Duration(optOverlap, 0)
	if !cfg.Flag(optNoRefresh) {
		s.RefreshTTL = cfg.Duration(optRefreshTTL, defaultRefreshTTL)
	}
	s.Claims = claims
	s.Access = &token.Access{
		Algorithm: cfg.Arg(optAlgorithm, ""), Issuer: cfg.Arg(optIssuer, ""), Audience: cfg.Arg(optAudience, ""),
	}
}

// claims are those that RFC 9068 section 2.2 adds to the registered ones.
func claims(b session.Bearer) map[string]any {
	said := map[string]any{"client_id": strconv.FormatInt(b.KeyID, 10)}
	if len(b.Scopes) > 0 {
		said["scope"] = b.Scopes.String()
	}
	return said
}

// Service is what this dialect needs of the session service, with the errors
// that are documented there.
type Service interface {
	Client(ctx context.Context, id string, spellings ...auth.Secret) (session.Client, error)
	ClientTokens(ctx context.Context, c session.Client, asked auth.Scope) (session.Tokens, error)
	RefreshTokens(ctx context.Context, c session.Client, refresh auth.Secret, asked auth.Scope) (session.Tokens, error)
	Introspect(ctx context.Context, c session.Client, token auth.Secret) (session.Introspection, error)
	RevokeToken(ctx context.Context, c session.Client, token auth.Secret) error
	JWKS(ctx context.Context) ([]byte, error)
}

// New returns the dialect at cfg.Base. It refuses a base path that would take
// the whole site, lives that do not fit together, and options that contradict
// each other.
func New(cfg dialect.Config, s Service) (*Dialect, error) {
	if err := cfg.CheckBase(); err != nil {
		return nil, err
	}
	if err := checkTogether(cfg); err != nil {
		return nil, err
	}
	cors, err := dialect.NewCORS(cfg.CORS, "Authorization", "Content-Type")
	if err != nil {
		return nil, err
	}
	d := &Dialect{
		base: cfg.Base, limit: cfg.BodyLimit(), issuer: cfg.Arg(optIssuer, ""),
		refreshes: !cfg.Flag(optNoRefresh), cors: cors, service: s,
	}
	d.calls = d.table()
	return d, nil
}

func checkTogether(cfg dialect.Config) error {
	ttl := cfg.TTL
	if ttl == 0 {
		ttl = defaultTTL
	}
	if ttl < time.Second {
		return fmt.Errorf("ttl %v is less than the second that expires_in counts in", ttl)
	}
	if cfg.Flag(optNoRefresh) {
		for _, name := range []string{optRefreshTTL, optOverlap} {
			if cfg.Flag(name) {
				return fmt.Errorf("%s is about refresh tokens, and %s issues none", name, optNoRefresh)
			}
		}
		return checkJWT(cfg)
	}
	if refresh := cfg.Duration(optRefreshTTL, defaultRefreshTTL); refresh < ttl {
		return fmt.Errorf("%s %v is shorter than the life of an access token, %v", optRefreshTTL, refresh, ttl)
	}
	return checkJWT(cfg)
}

func checkJWT(cfg dialect.Config) error {
	for _, name := range []string{optAudience, optAlgorithm} {
		if cfg.Flag(name) && cfg.Format != "jwt" {
			return fmt.Errorf("%s is about JWTs: it needs format jwt", name)
		}
	}
	return nil
}

// checkIssuer holds the issuer to RFC 8414 section 2. Clients compare it as
// text, so it must stand here as they know it.
func checkIssuer(args []string) error {
	text, err := dialect.OneArgument(args, "argument")
	if err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(text, "?#") {
		return fmt.Errorf("%q is not an https URL of host and path alone", text)
	}
	if strings.HasSuffix(text, "/") || u.EscapedPath() != u.Path || u.Path != "" && !strings.HasPrefix(u.Path, "/") {
		return fmt.Errorf("%q must have a plain path, without a slash at its end", text)
	}
	return nil
}

func checkAudience(args []string) error {
	text, err := dialect.OneArgument(args, "argument")
	if err == nil && (text == "" || len(text) > maxAudience) {
		return fmt.Errorf("an audience has between 1 and %d bytes", maxAudience)
	}
	return err
}

func checkAlgorithm(args []string) error {
	name, err := dialect.OneArgument(args, "argument")
	if err == nil && !slices.Contains(token.AccessAlgorithms, name) {
		return fmt.Errorf("%q is none of %s", name, strings.Join(token.AccessAlgorithms, ", "))
	}
	return err
}
