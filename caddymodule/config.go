package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// App is the part of Gatehouse that all its handlers share: the store of
// accounts, keys and sessions, and what protects it.
type App struct {
	// Where accounts, keys and sessions are kept. The default is an embedded
	// SQLite file in Caddy's data directory.
	Store *Store `json:"store,omitempty"`

	// Where sessions, the records of issued tokens, are kept apart from the
	// rest. The default is the store.
	Sessions *Sessions `json:"sessions,omitempty"`

	// How long the cache of verdicts is trusted while nothing is heard of
	// changes that other processes make, e.g. a revoked token. The default
	// is 5s.
	MaxStaleness caddy.Duration `json:"max_staleness,omitempty"`

	// How much longer than that a verdict of the cache counts while the store
	// is out of reach. What was revoked elsewhere meanwhile counts as long.
	// The default is not at all.
	Grace caddy.Duration `json:"grace,omitempty"`

	// Files with the keys that seal secrets in the store and pass codes. The
	// first seals; all of them open. Placeholders are replaced. The default
	// is a key that is made once and kept in Caddy's storage.
	KeyRing []string `json:"key_ring,omitempty"`

	// How long a key signs JWTs before a new one takes its place. It goes on
	// verifying what it signed. At least an hour; less than 0 is for ever. The
	// default is 90 days.
	SigningKeyLifetime caddy.Duration `json:"signing_key_lifetime,omitempty"`

	state appState
}

// Store says where accounts, keys and sessions are kept.
type Store struct {
	// The engine: `sqlite`, which is the default, or `postgres`.
	Engine string `json:"engine,omitempty"`

	// The file of the sqlite engine. Placeholders are replaced. The default
	// is `gatehouse.db` in Caddy's data directory.
	Path string `json:"path,omitempty"`

	// The URL of the postgres engine, e.g. `{env.DATABASE_URL}`, or the list
	// of settings that libpq takes. Placeholders are replaced.
	URL string `json:"url,omitempty"`

	// The most connections to postgres that one gateway keeps. The default
	// is 16.
	MaxConnections int `json:"max_connections,omitempty"`
}

// Sessions says where sessions are kept apart from the rest.
type Sessions struct {
	// The engine: `redis`, which is Valkey too.
	Engine string `json:"engine,omitempty"`

	// The URL of the servers, e.g. `{env.REDIS_URL}`. Placeholders are
	// replaced.
	URL string `json:"url,omitempty"`

	// How many replicas must have a write before it is answered. The default
	// is none.
	Replicas int `json:"replicas,omitempty"`

	// How long to wait for the replicas. At most
	// 750ms; the default is 375ms.
	ReplicasTimeout caddy.Duration `json:"replicas_timeout,omitempty"`
}

// Handler is the gateway in front of an API. It answers the login calls of the
// configured dialects itself, checks the credential of every other request and
// forwards only what passed, with the caller's identity attached.
type Handler struct {
	// The protection space: accounts, keys and tokens of one realm mean
	// nothing in another. The default is `default`.
	Realm string `json:"realm,omitempty"`

	// The login APIs that are answered here. The default is none.
	Logins []Login `json:"logins,omitempty"`

	// The credentials that count, in the order in which they are tried. The
	// default is those that the configured dialects use.
	Accept []Accept `json:"accept,omitempty"`

	// Outside issuers whose JWTs count too, as a bearer. With no `accept`
	// and no login that reads one, a bearer counts for their sake. The
	// default is none.
	Trust []Trust `json:"trust,omitempty"`

	// Requests that need no credential. One that is sent is still checked:
	// a good one is attached, a bad one is taken away and the request goes on
	// as anonymous. The default is none.
	Public []Rule `json:"public,omitempty"`

	// Who may make which requests. Every entry that is about a request must
	// hold. The default is that every verified caller may make all requests.
	Require []Require `json:"require,omitempty"`

	// What the upstream is told of the caller, beside the default fields
	// (X-Auth-Subject and its like).
	Identity *Identity `json:"identity,omitempty"`

	// A limit on requests. The default is none.
	Rate *Rate `json:"rate,omitempty"`

	// How a refusal looks: `problem` (RFC 9457) or the name of a configured
	// dialect. The default is the dialect's if exactly one kind is
	// configured, else `problem`.
	Errors string `json:"errors,omitempty"`

	// `enforce`, which is the default, or `observe`: decide and log, but
	// forward everything.
	Mode string `json:"mode,omitempty"`

	// Allow credentials in the query of requests without TLS, where TLS ends
	// in front of this server. The default is false.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	// Tell in the header field X-Gatehouse-Reason of each refusal why it is
	// one. It tells everyone: turn it on for as long as you look for a fault.
	// The default is false.
	Debug bool `json:"debug,omitempty"`

	// Methods that are forwarded beside the usual ones, in upper case. The
	// default is none.
	Methods []string `json:"methods,omitempty"`

	// How the upstream reads paths. By default one that could be read in two
	// ways is refused, and a public one is compared to the letter.
	Paths *Paths `json:"paths,omitempty"`

	site *gateway.Site
}

// Paths says how the upstream reads paths. A path with a spelling that is
// allowed is public only where all ways to read it are, and must hold against
// every requirement that is about one of them.
type Paths struct {
	// The upstream knows no case: what is public matches in any (of ASCII).
	// What is required does so always. The default is false.
	CaseInsensitive bool `json:"case_insensitive,omitempty"`

	// Spellings that are not refused: `encoded_slash`, `double_slash`,
	// `semicolon` or `backslash`. The default is none.
	Allow []string `json:"allow,omitempty"`
}

// Login is one login API that is answered here.
type Login struct {
	// The name of the dialect, e.g. `management` or `timed_login`.
	Dialect string `json:"dialect"`

	// The path below which the API stands. The default is the dialect's own.
	Base string `json:"base,omitempty"`

	// The life of a token. The default is the dialect's own.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// How long a token lives without being used. The default is no such
	// limit.
	Idle caddy.Duration `json:"idle,omitempty"`

	// The form of a token: `opaque` or `jwt`. The default is the dialect's
	// own.
	Format string `json:"format,omitempty"`

	// The most bytes of a request's body. The default is 65536.
	MaxBody int64 `json:"max_body,omitempty"`

	// The origins whose scripts may call this API from a browser, e.g.
	// `https://app.example.com`. The default is none.
	CORS []string `json:"cors,omitempty"`

	// How often an account may fail to log in. The default is 5 times in 5
	// minutes.
	Attempts *Attempts `json:"attempts,omitempty"`

	// The path at which a description of this API is served to anyone, an
	// OpenAPI 3.1 document, e.g. `/v1/auth/openapi.json`. The default is to
	// serve none.
	OpenAPI string `json:"openapi,omitempty"`

	// The dialect's own options, by name, each with its arguments.
	Options map[string][]string `json:"options,omitempty"`
}

// Attempts limits failed logins.
type Attempts struct {
	// How many there may be within the window. At least 1.
	Events int `json:"events"`

	// The time in which they are counted.
	Window caddy.Duration `json:"window"`
}

// Accept is a kind of credential that counts.
type Accept struct {
	// The kind: `bearer`, `api_key`, `key_user_token`, `basic`, `query` or
	// `body`.
	Kind string `json:"kind"`

	// The header field of an api_key (the default is `x-api-key`), the
	// parameter of a query or the member of a body credential, which both
	// need one. The other kinds have none.
	Name string `json:"name,omitempty"`
}

// Trust is an outside issuer whose JWTs count.
type Trust struct {
	// The URL of the issuer, to the letter as its tokens name it in `iss`.
	// https, or http on this machine.
	Issuer string `json:"issuer"`

	// The audiences that count: a token must name one of them in `aud`. At
	// least one.
	Audiences []string `json:"audiences"`

	// The address of the issuer's key set (RFC 7517). The default is the one
	// that its metadata name (OpenID Connect Discovery, RFC 8414).
	JWKS string `json:"jwks,omitempty"`

	// The algorithms that it signs with: `RS256`, `RS384`, `RS512`, `PS256`,
	// `PS384`, `PS512`, `ES256`, `ES384`, `ES512` or `EdDSA`. The default is
	// RS256, ES256 and EdDSA.
	Algorithms []string `json:"algorithms,omitempty"`

	// The `typ` that its tokens must bear one of. The default is `JWT`,
	// `at+jwt` or none.
	Types []string `json:"types,omitempty"`

	// Which claim becomes what of the caller: `subject`, `username`,
	// `tenant`, `unit`, `roles` or `scopes`, each with a placeholder like
	// `{claim.realm_access.roles}`. By default the subject is
	// `{claim.sub}`, the scopes are `{claim.scope}` or `{claim.scp}`, the
	// username is the subject and there is nothing else.
	Claims map[string]string `json:"claims,omitempty"`
}

// Rule selects requests. Paths and matchers are alternatives; a rule with
// neither selects every request.
type Rule struct {
	// Path patterns: a path, or one that ends in `*` for all that begin so.
	Paths []string `json:"paths,omitempty"`

	// Request matchers, as in a route.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// matches says that there are matchers, and matched holds the paths that
	// they are of, where of nothing else: once a matcher is built Caddy forgets
	// what of.
	matches bool
	matched []string
}

// Require says who may make the requests that it selects. Every member that is
// not empty must hold; the values of a member are alternatives.
type Require struct {
	Rule

	// Roles of the account.
	Roles []string `json:"roles,omitempty"`

	// Scopes of the credential.
	Scopes []string `json:"scopes,omitempty"`

	// Permissions of the API key: `read`, `write`, `delete` or `create`.
	Permissions []string `json:"permissions,omitempty"`

	// Tenants that the credential is bound to. Placeholders are replaced for
	// each request, e.g. `{http.request.uri.path.1}`.
	Tenants []string `json:"tenants,omitempty"`

	// Ids of the accounts that may. Placeholders are replaced for each
	// request, e.g. `{http.request.uri.path.1}`; the id is compared exactly.
	Subjects []string `json:"subjects,omitempty"`
}

// Identity is what the upstream is told of the caller.
type Identity struct {
	// Header fields that are set, beside the default ones or in their place.
	// A client's own fields of these names are removed.
	Headers []IdentityHeader `json:"headers,omitempty"`

	// A signed statement of who calls, which the upstream can verify. The
	// default is none.
	Assertion *Assertion `json:"assertion,omitempty"`

	// Forward the credential too. The default is to take it out.
	KeepCredentials bool `json:"keep_credentials,omitempty"`
}

// Assertion is a short-lived JWT for one method, host and path. The keys that
// verify it are served at `/.well-known/jwks.json`.
type Assertion struct {
	// The header field that carries it. A client's own is removed. The default
	// is `X-Auth-Assertion`.
	Field string `json:"field,omitempty"`

	// Who shall believe it: the claim `aud`. At least one.
	Audience []string `json:"audience"`

	// Its life: 5s to 60s, in whole seconds. The default is 60s.
	TTL caddy.Duration `json:"ttl,omitempty"`
}

// IdentityHeader is a header field that the upstream is told.
type IdentityHeader struct {
	// The name of the field.
	Field string `json:"field"`

	// Its value. Placeholders are replaced for each request; an empty value
	// sets nothing.
	Value string `json:"value"`
}

// Rate limits requests.
type Rate struct {
	// How many there may be within the window. At least 1.
	Events int `json:"events"`

	// The time in which they are counted.
	Window caddy.Duration `json:"window"`

	// What they are counted for: `credential`, which is the default,
	// `subject` or `address`. A caller without a credential counts for the
	// address.
	Key string `json:"key,omitempty"`
}

// Provider checks credentials for Caddy's own `authentication` handler, for
// those who compose several ways to authenticate. It answers no login calls.
type Provider struct {
	// The protection space. The default is `default`.
	Realm string `json:"realm,omitempty"`

	// The credentials that count, in the order in which they are tried. The
	// default is bearer and api_key.
	Accept []Accept `json:"accept,omitempty"`

	// Outside issuers whose JWTs count too, as a bearer. The default is none.
	Trust []Trust `json:"trust,omitempty"`

	// Allow credentials in the query of requests without TLS. The default is
	// false.
	InsecureHTTP bool `json:"insecure_http,omitempty"`

	site *gateway.Site
}
