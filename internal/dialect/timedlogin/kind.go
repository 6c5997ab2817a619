// Package timedlogin speaks the login API of Aktion.NEXT: `POST login` trades
// a login name and an API key for a token that lives seconds, in JSON or XML,
// and later calls carry the token in the query. Its clients were built with
// .NET's DataContract and XML serializers.
//
// The package owns that wire format and the numbers of its errors. What a key
// is, when a token ends and who may try how often is for package session.
package timedlogin

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The options of this dialect.
const (
	// optDistinct answers a bad key of a known login with an error number of
	// its own (1004), as the page does, and so tells strangers which login
	// names exist.
	optDistinct = "distinct_key_error"
	// optStrict reads and writes the two media types of the page only.
	optStrict = "strict_media_types"
	// optRemember is for how long an expired token is answered as expired
	// (1001) and not as unknown (1000).
	optRemember = "remember_expired"
)

const (
	defaultTTL = 20 * time.Second
	// maxRemember bounds the rows that expired tokens leave in the store:
	// they are as many as all logins of that time.
	maxRemember = 24 * time.Hour
)

// Kind describes the dialect.
func Kind() dialect.Kind {
	return dialect.Kind{
		Name: "timed_login",
		Base: "/login",
		TTL:  defaultTTL,
		Credentials: func(dialect.Config) []bearer.Spec {
			return []bearer.Spec{{Kind: auth.Query, Name: tokenField, FoldName: true, Form: token.ParseGUID}}
		},
		Refused: map[string]string{
			"idle":   "its tokens live for a fixed time after the login, used or not",
			"format": "its clients read the token as a GUID",
		},
		Options: []dialect.Option{
			dialect.Flag(optDistinct),
			dialect.Flag(optStrict),
			dialect.Lasting(optRemember, 0, maxRemember),
		},
		Session: func(cfg dialect.Config, s *session.Config) {
			s.Form, s.Remember = token.GUID, cfg.Duration(optRemember, session.DefaultRemember)
		},
		New: func(cfg dialect.Config, s *session.Service) (dialect.Dialect, error) {
			return New(cfg, s)
		},
	}
}

// Service logs in for one login block.
type Service interface {
	// LoginKey verifies a login name and an API key of that account, and
	// returns a token that is durable and lives for at least a second.
	// An error is an [auth.Error]: [auth.InvalidCredential] with
	// [auth.ReasonUnknown] or [auth.ReasonDisabled] for the login name, with
	// [auth.ReasonAddress] for an address that is not on the account's list,
	// told to those only who sent the right key, and with any other reason
	// for the key; [auth.Throttled] for too many attempts.
	LoginKey(ctx context.Context, username string, key auth.Secret) (session.Issued, error)
}

// New returns the dialect at cfg.Base. It refuses a base path that would take
// the whole site, and a life that ExpireInSec, an int of whole seconds, cannot
// say.
func New(cfg dialect.Config, s Service) (*Dialect, error) {
	if err := cfg.CheckBase(); err != nil {
		return nil, err
	}
	if ttl := cfg.TTL; ttl != 0 && (ttl < time.Second || ttl%time.Second != 0 || ttl > math.MaxInt32*time.Second) {
		return nil, fmt.Errorf("ttl %v is not a number of whole seconds that fits into 32 bits", ttl)
	}
	cors, err := dialect.NewCORS(cfg.CORS, "Content-Type")
	if err != nil {
		return nil, err
	}
	return &Dialect{
		base:     cfg.Base,
		limit:    cfg.BodyLimit(),
		distinct: cfg.Flag(optDistinct),
		media:    newMedia(cfg.Flag(optStrict)),
		cors:     cors,
		service:  s,
	}, nil
}
