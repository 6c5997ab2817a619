package gateway

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// DefaultRealm is the protection space where none is named.
const DefaultRealm = "default"

// Config is one guard. The zero value of a member is its default.
type Config struct {
	Realm  string
	Logins []Login
	// Accept lists the credentials that count, in order of trial. nil means
	// those of the configured dialects.
	Accept []bearer.Spec
	// Trust lists the outside issuers whose JWTs count, as a bearer.
	Trust []issuer.Config
	// A Public rule names paths or a matcher: one that says nothing is an
	// error, not every request.
	Public  []Rule
	Require []Requirement
	// Fields are told to the upstream beside the default ones.
	Fields []Field
	// Assertion is told beside them; nil is none.
	Assertion *Assertion
	// KeepCredentials forwards the credentials too, as far as they were
	// verified.
	KeepCredentials bool
	// Errors names the dialect whose shape a refusal has, or "problem". ""
	// is the dialect's if there is exactly one kind, else problem.
	Errors string
	// Observe decides and logs, but forwards everything.
	Observe bool
	Rate    *Rate
	// InsecureHTTP allows credentials in the query without TLS.
	InsecureHTTP bool
	// Debug tells in a header field of each refusal why it is one. It is for
	// operators: it tells an expired credential from an unknown one, to anyone.
	Debug bool
	// Methods are allowed beside the usual ones.
	Methods []string
	// Paths says how the upstream reads them.
	Paths policy.Reader
	Hooks Hooks
}

// Login is one login block.
type Login struct {
	Kind     dialect.Kind
	Config   dialect.Config
	Attempts throttle.Limit
}

// Rule selects requests: by path, by a matcher, or, with neither, all.
type Rule struct {
	// Paths are patterns of package policy.
	Paths []string
	Match func(*http.Request) (bool, error)
}

// Requirement says who may make the requests that its rule selects. Every line
// that is not empty must hold; values on a line are alternatives.
type Requirement struct {
	Rule
	Roles, Scopes []string
	Permissions   []auth.Permission
	// Tenants and Subjects are templates, expanded for each request. Subjects
	// are compared with the id of the caller's account.
	Tenants, Subjects []string
}

// Field is a header field told to the upstream; Value is a template.
type Field struct{ Name, Value string }

// Rate limits requests by what they are counted for.
type Rate struct {
	Limit throttle.Limit
	By    RateKey
}

// RateKey says what requests are counted for.
type RateKey string

// The ways to count.
const (
	RateByCredential RateKey = "credential"
	RateBySubject    RateKey = "subject"
	RateByAddress    RateKey = "address"
)

// Hooks connect a guard to the server around it. A nil hook is left out.
type Hooks struct {
	// Address returns the client's address, as far as proxies are trusted.
	Address func(*http.Request) netip.Addr
	// Expand replaces the placeholders of a template for a request. An error
	// means that a value is not known.
	Expand func(r *http.Request, template string) (string, error)
	// Attach makes the caller known to the server; nil means anonymous.
	Attach func(*http.Request, *authn.Verdict)
	// RequestID returns the server's own name of the request that a context
	// is of. It is asked for what is audited only.
	RequestID func(context.Context) string
	// Audit is told of logins, refusals and revocations.
	Audit func(context.Context, auth.Event)
	// Count is told how every guarded request ended.
	Count func(Outcome, auth.Reason)
}

// Outcome is how a guarded request ended.
type Outcome uint8

// The outcomes.
const (
	Passed    Outcome = iota // with a verified caller
	Anonymous                // on a public path
	Refused
	Observed // would have been refused
)

// Outcomes lists their names, in order.
var Outcomes = [...]string{"passed", "anonymous", "refused", "observed"}

func (o Outcome) String() string { return Outcomes[o] }
