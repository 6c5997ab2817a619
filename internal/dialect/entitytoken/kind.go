// Package entitytoken speaks the entity authentication token of the Quest
// Protocol: one token per user and entity, which is fetched, made, changed,
// refreshed and deleted below `/entities/{entityId}/users/{userId}/`, and then
// stands in for the user token on proxied calls.
//
// The package owns that wire format. Who may have which token, where it is
// kept and which of several refreshes wins is for package session.
package entitytoken

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// defaultTTL is how long the public client keeps a user token; a token that
// stands in for it lives as long.
const defaultTTL = 48 * time.Hour

// Kind describes the dialect.
func Kind() dialect.Kind {
	return dialect.Kind{
		Name: "entity_token",
		Base: "/entities",
		TTL:  defaultTTL,
		Credentials: func(dialect.Config) []bearer.Spec {
			return []bearer.Spec{{Kind: auth.KeyUserToken}}
		},
		Refused: map[string]string{
			"idle":     "its tokens live for a fixed time, used or not",
			"format":   "its tokens are looked up and given back as they are, which only an opaque one is made for",
			"attempts": "nothing is guessed at its calls: they bring a key and a token, of 124 random bits or more",
		},
		Options: options(),
		Session: func(cfg dialect.Config, s *session.Config) {
			s.Remember = 0 // an expired token counts as absent
			s.MaxTTL, s.Overlap = cfg.Duration(optMaxTTL, usualMaxTTL), cfg.Duration(optOverlap, 0)
		},
		New: func(cfg dialect.Config, s *session.Service) (dialect.Dialect, error) {
			return New(cfg, s)
		},
	}
}

// Service is what this dialect needs of the session service, with the errors
// that are documented there.
type Service interface {
	EntityPlace(ctx context.Context, c bearer.Credential, entity, user string) (session.Place, error)
	EntityToken(ctx context.Context, p session.Place) (session.EntityToken, error)
	CreateEntityToken(ctx context.Context, p session.Place) (session.EntityToken, error)
	ChangeEntityToken(ctx context.Context, p session.Place, c session.EntityTokenChange) error
	RefreshEntityToken(ctx context.Context, p session.Place, old string) (session.EntityToken, error)
	DeleteEntityToken(ctx context.Context, p session.Place) error
}

// New returns the dialect for one login block. cfg's options have passed their
// checks; its origins, and what lives hold against each other, are checked
// here.
func New(cfg dialect.Config, s Service) (*Dialect, error) {
	if err := cfg.CheckBase(); err != nil {
		return nil, err
	}
	if longest := cfg.Duration(optMaxTTL, usualMaxTTL); cfg.TTL > longest {
		return nil, fmt.Errorf("ttl %v is longer than %s, which is %v", cfg.TTL, optMaxTTL, longest)
	}
	cors, err := dialect.NewCORS(cfg.CORS, corsHeaders...)
	if err != nil {
		return nil, err
	}
	route := dialect.Route{Path: cfg.Base, Fold: true}
	if cfg.Flag(optForward) {
		route.Below = "/*/" + usersSegment + "/*/" + tokenSegment
	}
	return &Dialect{base: cfg.Base, route: route, limit: cfg.BodyLimit(), cors: cors, service: s}, nil
}

// corsHeaders are the fields that the public client sends from a browser;
// some browsers ask for User-Agent too, which it sets.
var corsHeaders = []string{"apikey", "userid", "token", "entityid", "entity-authentication-token", "content-type", "user-agent"}
