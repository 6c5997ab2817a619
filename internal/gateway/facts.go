package gateway

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// facts collects those that have a value.
type facts []Fact

func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, Fact{name, value})
	}
}

func (f *facts) list(name string, values []string) { f.add(name, strings.Join(values, ", ")) }

func (f *facts) time(name string, t time.Time) {
	if !t.IsZero() {
		f.add(name, t.UTC().Format(time.RFC3339))
	}
}

func (f *facts) number(name string, n int64) {
	if n != 0 {
		f.add(name, strconv.FormatInt(n, 10))
	}
}

func (f *facts) prefixes(name string, all []netip.Prefix) {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.String()
	}
	f.list(name, names)
}

// ruleFacts say which rule it is, counted from 1 as the configuration has them.
func ruleFacts(at int, r Rule) []Fact {
	f := facts{{"rule", strconv.Itoa(at + 1)}}
	switch {
	case len(r.Paths) > 0:
		f.list("paths", r.Paths)
	case r.Match != nil:
		f.add("paths", "a matcher")
	default:
		f.add("paths", "all")
	}
	return f
}

// requirementFacts say what is required, as it was written: what a placeholder
// stands for may be a secret of the request.
func requirementFacts(q Requirement) []Fact {
	var f facts
	f.list("role", q.Roles)
	f.list("scope", q.Scopes)
	var bits auth.Permission
	for _, p := range q.Permissions {
		bits |= p
	}
	f.list("permission", bits.Names())
	f.list("tenant", q.Tenants)
	f.list("subject", q.Subjects)
	return f
}

func principalFacts(p *auth.Principal) []Fact {
	var f facts
	f.add("realm", p.Realm)
	f.add("subject", p.Subject)
	f.add("username", p.Username)
	f.add("token_id", p.TokenID)
	f.number("key_id", p.KeyID)
	f.add("tenant", p.Tenant)
	f.add("unit", p.Unit)
	f.list("roles", p.Roles)
	f.list("scopes", p.Scopes)
	f.list("permissions", p.Permissions.Names())
	f.time("expires", p.Expires)
	return f
}

func errorFacts(e *auth.Error) []Fact {
	f := facts{{"code", e.Code.String()}}
	f.add("reason", string(e.Reason))
	return f
}

// reasonText says what a refusal means, for people.
func reasonText(e *auth.Error) string {
	if text, ok := reasonTexts[e.Reason]; ok {
		return text
	}
	if e.Code == auth.NoCredential {
		return "a credential is needed, and none was presented"
	}
	return strings.ReplaceAll(e.Code.String(), "_", " ")
}

// Meaning says for people what a refusal means whose code and reason stand in
// an audit log.
func Meaning(code string, reason auth.Reason) string {
	if code == auth.NoCredential.String() && reason == auth.Reason(code) {
		return reasonText(&auth.Error{Code: auth.NoCredential})
	}
	if text, ok := reasonTexts[reason]; ok {
		return text
	}
	return strings.ReplaceAll(code, "_", " ")
}

var reasonTexts = map[auth.Reason]string{
	auth.ReasonUnknown: "nothing like it is known in this realm: it was never issued here, or it was withdrawn, " +
		"or it ended so long ago that it is forgotten",
	auth.ReasonExpired:    "it is genuine, but past its time",
	auth.ReasonRevoked:    "it is genuine, but was revoked",
	auth.ReasonReplayed:   "it is good for one use, and was used before",
	auth.ReasonDisabled:   "the account is disabled",
	auth.ReasonPassword:   "the password is wrong",
	auth.ReasonSignature:  "nobody here signed it as it stands",
	auth.ReasonAudience:   "it is meant for others",
	auth.ReasonMismatch:   "its parts are not of one account",
	auth.ReasonAmbiguous:  "two good credentials are of different callers",
	auth.ReasonDuplicate:  "one place holds two values",
	auth.ReasonForm:       "it is not written as such a credential is",
	auth.ReasonTooLarge:   "it is longer than anything that is issued here",
	auth.ReasonPath:       "the path can be read in two ways",
	auth.ReasonMethod:     "the method is not forwarded",
	auth.ReasonEarlyData:  "it came in TLS early data, which can be sent again, and may change something",
	auth.ReasonAddress:    "the client's address is not on the allow-list of the account or key",
	auth.ReasonRole:       "the caller has none of these roles",
	auth.ReasonScope:      "the credential has none of these scopes",
	auth.ReasonPermission: "the credential has none of these permissions",
	auth.ReasonTenant:     "the caller is in none of these tenants, or the value is not known",
	auth.ReasonSubject:    "the caller is none of these accounts, or the value is not known",
	auth.ReasonAttempts:   "too many logins failed, of the account or from the address",
	auth.ReasonRate:       "there were more requests than rate allows",
	auth.ReasonQueue:      "too many logins waited for their password to be hashed",
	auth.ReasonIssuer:     "the keys of its issuer are out of reach",
	auth.ReasonKeyRing:    "it needs what was sealed under a key that the key ring of this gateway lacks",
	auth.ReasonStarting:   "the store was not open yet",
	auth.ReasonMediaType:  "the body is of a type, charset or coding that the call does not read",
	auth.ReasonStore:      "the store cannot be asked",
	auth.ReasonTimeout:    "the store did not answer, or a body did not come, in time",
	auth.ReasonCleartext:  "a credential in the query needs TLS, or insecure_http where TLS ends in front of this server",
}
