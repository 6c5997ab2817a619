// Package dialect says what a login dialect is: the wire format of one public
// login API, whose clients exist and cannot be changed. It also reads request
// bodies strictly, which every dialect needs.
//
// A dialect knows the session service and its own wire format, and nothing of
// stores, clocks, loggers or other dialects. Each has a package below this one
// and a line in package table.
package dialect

import (
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Dialect answers one login API at one base path.
type Dialect interface {
	// Routes lists the paths that it answers; the gateway sends it every
	// request below them, whatever the method.
	Routes() []Route
	// ServeHTTP answers one of its own calls. It never panics on input and
	// always writes a body in the dialect's shape.
	ServeHTTP(w http.ResponseWriter, r *http.Request)
	// Refuse answers a guarded request that was refused, in the shape that
	// the dialect's clients expect. Cache-Control is already set.
	Refuse(w http.ResponseWriter, r *http.Request, refusal Refusal)
}

// Route is a path that a dialect answers, and all below it.
type Route struct {
	Path string
	// Below narrows it to the paths that go on like this, and all below them:
	// "/" and segments, of which `*` stands for any; "" does not narrow.
	Below string
	// Fold matches without regard to ASCII case.
	Fold bool
	// Exact leaves out what is below Path.
	Exact bool
}

// Refusal is why a guarded request was refused.
type Refusal struct {
	Err *auth.Error
	// Credential is what was presented, for the dialects that name it in the
	// answer; its Kind is "" where nothing was.
	Credential bearer.Credential
}

// Kind describes a dialect before it is configured.
type Kind struct {
	// Name is the word in the Caddyfile; Base the path where none is given.
	Name, Base string
	// TTL is the life of a token where none is configured.
	TTL time.Duration
	// Credentials are what its clients send on proxied calls, in order of
	// trial. Given the configuration, since options can rename them.
	Credentials func(Config) []bearer.Spec
	// Yields lists the pairs where a bad credential of the first kind counts
	// as absent beside a good one of the second.
	Yields [][2]auth.CredentialKind
	// Refused are the shared options that it cannot honour, each with the
	// reason; it completes a sentence that says which option is refused.
	Refused map[string]string
	// Options are its own.
	Options []Option
	// Session fills in what its sessions are like. It is given the realm, the
	// name, the lives and the format that the configuration names, and may
	// change all but the first two; nil leaves the rest at its default.
	Session func(Config, *session.Config)
	// Renamed says what the options rename in its OpenAPI document beside the
	// base path: paths, each with all below it, and names of header fields.
	// nil where none does.
	Renamed func(Config) map[string]string
	// TokenPaths lists the paths below which a segment may be a token itself,
	// for those who redact logs; nil where there are none.
	TokenPaths func(Config) []string
	// New builds it. Each option of cfg has passed its check; what they say
	// together is for New to check.
	New func(cfg Config, s *session.Service) (Dialect, error)
}

// Moved returns what a login block renames in the OpenAPI document of its
// dialect: the base path, and what Renamed says.
func (k Kind) Moved(c Config) map[string]string {
	moved := map[string]string{k.Base: c.Base}
	if k.Renamed != nil {
		maps.Copy(moved, k.Renamed(c))
	}
	return moved
}

// Config is one login block.
type Config struct {
	// Base is the base path without a trailing slash.
	Base string
	// TTL and Idle are lives; 0 is the dialect's default and none.
	TTL, Idle time.Duration
	// Format is "opaque", "jwt" or "" for the dialect's default.
	Format string
	// MaxBody bounds a body in bytes; 0 is 64 KiB.
	MaxBody int64
	// CORS lists the origins that may call from a browser.
	CORS []string
	// OpenAPI is the path of its OpenAPI document; "" serves none.
	OpenAPI string
	// Options are the dialect's own, by name, with their arguments.
	Options map[string][]string
}

// CheckBase refuses a base path that would take the whole site.
func (c Config) CheckBase() error {
	if c.Base == "" || c.Base == "/" {
		return errors.New("the base path must not be the root of the site")
	}
	return nil
}

// DefaultMaxBody bounds a login body where nothing else is configured. It
// stops a caller without credentials from filling memory.
const DefaultMaxBody = 64 << 10

// BodyLimit returns MaxBody or its default.
func (c Config) BodyLimit() int64 {
	if c.MaxBody > 0 {
		return c.MaxBody
	}
	return DefaultMaxBody
}
