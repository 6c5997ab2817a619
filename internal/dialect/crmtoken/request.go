package crmtoken

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The members of bodies.
const (
	usernameField     = "username"
	passwordField     = "password"
	identifiersField  = "access_token_identifier"
	codeField         = "authentication_code"
	identifierField   = "identifier"
	passCodeField     = "pass_code"
	organisationField = "organisation"
	unitField         = "unit"
	tokenField        = "token"
)

// readBody reads a body as JSON whatever its type is called: a public client
// sends `applicatio/json`. Only a charset or coding that nobody here reads is
// refused.
func (d *Dialect) readBody(w http.ResponseWriter, r *http.Request) (dialect.Object, error) {
	if err := checkCoding(r.Header); err != nil {
		return dialect.Object{}, err
	}
	body, err := dialect.ReadBody(w, r, d.limit)
	if err != nil {
		return dialect.Object{}, err
	}
	return parseObject(body)
}

// checkCoding passes over content types that are none.
func checkCoding(h http.Header) error {
	coding := http.Header{"Content-Encoding": h.Values("Content-Encoding")}
	if _, err := dialect.ContentType(coding); err != nil {
		return err
	}
	for _, field := range h.Values("Content-Type") {
		_, params, err := mime.ParseMediaType(field)
		charset, named := params["charset"]
		if err != nil || !named || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
			continue
		}
		return auth.Fail(auth.Malformed, auth.ReasonMediaType, errors.New("a charset nobody reads"))
	}
	return nil
}

// byteOrderMark begins what a StreamWriter of .NET writes, where it was told to
// write UTF-8.
var byteOrderMark = []byte("\ufeff")

// parseObject reads one JSON object. No body is an empty one, and so are `[]`,
// as which PHP writes an empty array, and `null`, as which .NET writes nothing.
func parseObject(body []byte) (dialect.Object, error) {
	body = bytes.TrimPrefix(body, byteOrderMark)
	if text := string(bytes.TrimSpace(body)); dialect.Blank(body) || text == "[]" || text == "null" {
		body = []byte("{}")
	}
	return dialect.ParseObject(body, dialect.ExactNames)
}

// parseLogin reads the body of a login: exactly one of the two ways to log in.
// Which of them it is, is told by what is not null.
func parseLogin(o dialect.Object) (l session.TenantLogin, err error) {
	var missing missingFields
	l.Tenant = missing.required(o, organisationField)
	l.Unit = unitOf(o)
	switch byPassword := o.Has(usernameField) || o.Has(passwordField); {
	case byPassword && o.Has(identifiersField):
		o.Reject(identifiersField, "must not stand beside username and password")
	case o.Has(identifiersField):
		missing.identifiers(o, &l)
	default:
		l.Username = missing.required(o, usernameField)
		l.Password = auth.NewSecret(missing.required(o, passwordField))
	}
	if err := missing.err(o); err != nil {
		return session.TenantLogin{}, err
	}
	return l, nil
}

// identifiers reads an access token identifier: exactly one of its two kinds.
func (m *missingFields) identifiers(o dialect.Object, l *session.TenantLogin) {
	in, ok := o.Object(identifiersField)
	if !ok {
		return // noted
	}
	byName := in.Has(identifierField) || in.Has(passCodeField)
	switch {
	case byName && in.Has(codeField):
		in.Reject(codeField, "must not stand beside identifier and pass_code")
	case byName:
		l.Identifier = m.requiredIn(in, identifiersField, identifierField)
		l.PassCode = auth.NewSecret(m.requiredIn(in, identifiersField, passCodeField))
	default:
		l.Code = auth.NewSecret(m.requiredIn(in, identifiersField, codeField))
	}
}

// parseKeyLogin reads the body of a login by key: the unit, "" for none.
func parseKeyLogin(o dialect.Object) (string, error) {
	unit := unitOf(o)
	return unit, o.Err()
}

// parseRelease reads the body of a release.
func parseRelease(o dialect.Object) (string, error) {
	var missing missingFields
	text := missing.required(o, tokenField)
	if err := missing.err(o); err != nil {
		return "", err
	}
	return text, nil
}

// unitOf reads the unit, "" where there is none: the id of one and nothing
// else.
func unitOf(o dialect.Object) string {
	unit, ok := o.Text(unitField)
	if !ok || unit == "" {
		return ""
	}
	if _, ok := token.ParseUpperHex(unit); !ok {
		o.Reject(unitField, "must be 32 upper-case hexadecimal digits")
	}
	return unit
}

// missingFields are the members that a body lacks. As an error they are told
// apart from members that are wrong.
type missingFields []string

func (m missingFields) Error() string {
	if len(m) == 1 {
		return m[0] + " is required"
	}
	last := len(m) - 1
	return strings.Join(m[:last], ", ") + " and " + m[last] + " are required"
}

// required returns a member that is a string and not empty.
func (m *missingFields) required(o dialect.Object, name string) string {
	return m.requiredIn(o, "", name)
}

// requiredIn returns a member of the object that stands in the member within.
func (m *missingFields) requiredIn(o dialect.Object, within, name string) string {
	text, ok := o.Text(name)
	if !o.Has(name) || ok && text == "" {
		*m = append(*m, strings.TrimPrefix(within+"."+name, "."))
	}
	return text
}

// err returns what is wrong with o, and else what it lacks.
func (m missingFields) err(o dialect.Object) error {
	if err := o.Err(); err != nil || len(m) == 0 {
		return err
	}
	return auth.Fail(auth.Malformed, auth.ReasonForm, m)
}
