// Package crmtoken speaks the login API of the CRM.COM Web API:
// `POST authentication/token` trades a user, or an access identifier, and an
// organisation for a token, which later calls carry as a member of their body
// or in the query. Its clients are PHP and .NET programs that read nothing of
// an answer with a status of 400 and more, so a failure is an HTTP 200 with
// another status code inside.
//
// The package owns that wire format. Who may log in where, what a token is
// and when it ends is for package session.
package crmtoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The options of this dialect.
const (
	// optStatus gives failures an HTTP status of their own.
	optStatus = "http_errors"
	// optNumbers has exp and iat of a JWT be numbers, as RFC 7519 wants them.
	optNumbers = "numeric_dates"
	// optStrip takes the token out of a body before it is forwarded.
	optStrip = "strip_credentials"
	// optRemember is for how long an expired token is answered as expired and
	// not as unknown.
	optRemember = "remember_expired"
)

// The lives of a token, as the original's documentation says them.
const (
	opaqueTTL = time.Hour
	jwtTTL    = 2 * time.Hour
	keyTTL    = 2 * time.Hour
	// idleTTL ends a token that is used all the time: a stolen one must not
	// live for ever.
	idleTTL = 30 * 24 * time.Hour
)

// maxRemember bounds the rows that expired tokens leave in the store: they are
// as many as all logins of that time.
const maxRemember = 24 * time.Hour

// Kind describes the dialect.
func Kind() dialect.Kind {
	return dialect.Kind{
		Name:        "crm_token",
		Base:        "/authentication",
		TTL:         opaqueTTL,
		Credentials: credentials,
		Options: []dialect.Option{
			dialect.Flag(optStatus),
			dialect.Flag(optNumbers),
			dialect.Flag(optStrip),
			dialect.Lasting(optRemember, 0, maxRemember),
		},
		Session: sessions,
		New: func(cfg dialect.Config, s *session.Service) (dialect.Dialect, error) {
			return New(cfg, s)
		},
	}
}

// credentials are the two places of the original, and the one of RFC 6750.
// What stands there is any text: one that was never issued is a bad token and
// not a bad request.
func credentials(cfg dialect.Config) []bearer.Spec {
	return []bearer.Spec{
		{Kind: auth.Bearer},
		{Kind: auth.Query, Name: tokenField},
		{Kind: auth.Body, Name: tokenField, MaxBody: cfg.MaxBody, StripMember: cfg.Flag(optStrip)},
	}
}

// sessions says what tokens are like. cfg holds what was configured and no
// default: a life that was configured is that of every token.
func sessions(cfg dialect.Config, s *session.Config) {
	s.Form, s.Remember = token.UpperHex, cfg.Duration(optRemember, session.DefaultRemember)
	s.Claims, s.TextDates = claims, !cfg.Flag(optNumbers)
	if cfg.TTL != 0 {
		return
	}
	s.KeyTTL = keyTTL
	switch {
	case s.JWT:
		s.TTL = jwtTTL
	case s.Idle != 0:
		s.TTL = idleTTL
	}
}

// claims are the claims of the original: user, organisation and unit by name.
// What there is none of is left out.
func claims(b session.Bearer) map[string]any {
	said := map[string]any{}
	for name, value := range map[string]string{"usr": b.Username, "org": b.Tenant, "oun": b.Unit} {
		if value != "" {
			said[name] = value
		}
	}
	return said
}

// Service is what this dialect needs of the session service, with the errors
// that are documented there.
type Service interface {
	LoginTenant(ctx context.Context, l session.TenantLogin) (session.Issued, error)
	LoginTenantKey(ctx context.Context, key auth.Secret, unit string) (session.Issued, error)
	Release(ctx context.Context, token string) error
}

// New returns the dialect at cfg.Base. It refuses options that contradict each
// other.
func New(cfg dialect.Config, s Service) (*Dialect, error) {
	if err := cfg.CheckBase(); err != nil {
		return nil, err
	}
	jwt := cfg.Format == "jwt"
	switch {
	case jwt && cfg.Idle != 0:
		return nil, errors.New("idle and format jwt contradict each other: a JWT says itself when it ends")
	case !jwt && cfg.Flag(optNumbers):
		return nil, fmt.Errorf("%s is about the dates of a JWT: it needs format jwt", optNumbers)
	}
	cors, err := dialect.NewCORS(cfg.CORS, "Authorization", "Content-Type")
	if err != nil {
		return nil, err
	}
	return &Dialect{
		base: cfg.Base, limit: cfg.BodyLimit(), statuses: cfg.Flag(optStatus), cors: cors, service: s,
	}, nil
}
