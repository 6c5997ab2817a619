package forward

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Field is one header field. Name is in canonical form.
type Field struct{ Name, Value string }

// Identity is what an upstream is told of one principal by default, worked out
// once and shared between requests.
type Identity struct {
	fields [7]Field
	n      int
}

// The default fields.
const (
	fieldSubject    = "X-Auth-Subject"
	fieldUsername   = "X-Auth-Username"
	fieldTenant     = "X-Auth-Tenant"
	fieldUnit       = "X-Auth-Unit"
	fieldRoles      = "X-Auth-Roles"
	fieldScopes     = "X-Auth-Scopes"
	fieldCredential = "X-Auth-Credential"
)

// DefaultNames lists the default fields.
func DefaultNames() []string {
	return []string{fieldSubject, fieldUsername, fieldTenant, fieldUnit, fieldRoles, fieldScopes, fieldCredential}
}

// NewIdentity returns the fields of a principal. Those without a value are
// left out: after [Fields.Strip] an upstream sees none at all.
func NewIdentity(p *auth.Principal) *Identity {
	id := &Identity{}
	id.add(fieldSubject, Escape(p.Subject))
	id.add(fieldUsername, Escape(p.Username))
	id.add(fieldTenant, Escape(p.Tenant))
	id.add(fieldUnit, Escape(p.Unit))
	id.add(fieldRoles, list(p.Roles))
	id.add(fieldScopes, list(p.Scopes))
	id.add(fieldCredential, Escape(Credential(p)))
	return id
}

func (id *Identity) add(name, value string) {
	if value != "" {
		id.fields[id.n] = Field{name, value}
		id.n++
	}
}

// Set writes the fields into the header of a request, and then extra, whose
// values it escapes. An extra field without a value is deleted, so that no
// default of the same name stands in for it. Every request gets values of its
// own, in one allocation: handlers behind this one change them in place.
func (id *Identity) Set(h http.Header, extra ...Field) {
	values := make([]string, 0, id.n+len(extra))
	for _, f := range id.fields[:id.n] {
		values = append(values, f.Value)
		h[f.Name] = values[len(values)-1 : len(values) : len(values)]
	}
	for _, f := range extra {
		if f.Value == "" {
			delete(h, f.Name)
			continue
		}
		values = append(values, Escape(f.Value))
		h[f.Name] = values[len(values)-1 : len(values) : len(values)]
	}
}

// Credential names what was presented, never the secret: the kind, and the
// accessor of the token or else the id of the key.
func Credential(p *auth.Principal) string {
	switch {
	case p.TokenID != "":
		return string(p.Credential) + ":" + p.TokenID
	case p.KeyID != 0:
		return string(p.Credential) + ":" + strconv.FormatInt(p.KeyID, 10)
	}
	return string(p.Credential)
}

// list joins names by commas. A comma within a name is escaped, so that no
// name of an outside issuer reads as two.
func list(names []string) string {
	escaped := make([]string, 0, len(names))
	for _, n := range names {
		if n != "" {
			escaped = append(escaped, strings.ReplaceAll(Escape(n), ",", "%2C"))
		}
	}
	return strings.Join(escaped, ",")
}
