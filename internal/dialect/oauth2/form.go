package oauth2

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The parameters that are read.
const (
	paramGrant        = "grant_type"
	paramScope        = "scope"
	paramRefresh      = "refresh_token"
	paramClient       = "client_id"
	paramSecret       = "client_secret"
	paramToken        = "token"
	paramResource     = "resource"
	formType          = "application/x-www-form-urlencoded"
	maxFormParameters = 64
)

// form is what a request says: each parameter that has a value. One without a
// value counts as left out (RFC 6749 section 3.2).
type form map[string]string

// required returns a parameter, and an error that names it where it is missing.
func (f form) required(name string) (string, error) {
	if f[name] == "" {
		return "", auth.Fail(auth.Malformed, auth.ReasonForm, dialect.FieldErrors{{Field: name, Problem: "is required"}})
	}
	return f[name], nil
}

// readForm reads the body of a request. Parameters in the query are refused:
// there they would stand in logs (RFC 6749 section 2.3.1).
func (d *Dialect) readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if r.URL.RawQuery != "" {
		return nil, badForm(auth.ReasonForm, "parameters belong into the body")
	}
	t, err := dialect.ContentType(r.Header)
	if err != nil {
		return nil, err
	}
	if t.Name != "" && t.Name != formType {
		return nil, auth.Fail(auth.Malformed, auth.ReasonMediaType, nil)
	}
	body, err := dialect.ReadBody(w, r, d.limit)
	if err != nil {
		return nil, err
	}
	if t.Name == "" && len(body) > 0 {
		return nil, auth.Fail(auth.Malformed, auth.ReasonMediaType, nil)
	}
	return parseForm(string(body))
}

// parseForm reads name-value pairs (the URL standard, section 5.1), but refuses
// what it would guess at: escapes that are none, text that is not UTF-8, and a
// parameter twice (RFC 6749 section 3.2).
func parseForm(body string) (form, error) {
	if strings.Count(body, "&") >= maxFormParameters {
		return nil, badForm(auth.ReasonForm, "too many parameters")
	}
	f, seen := form{}, map[string]bool{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		if seen[name] && name != paramResource { // RFC 8707 section 2 has several; none is read here
			return nil, badForm(auth.ReasonDuplicate, "a parameter stands twice")
		}
		seen[name] = true
		if value != "" {
			f[name] = value
		}
	}
	return f, nil
}

func parsePair(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(name); err != nil {
		return "", "", badForm(auth.ReasonForm, "a name has an escape that is none")
	}
	if value, err = url.QueryUnescape(value); err != nil {
		return "", "", badForm(auth.ReasonForm, "a value has an escape that is none")
	}
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		return "", "", badForm(auth.ReasonForm, "text that is not UTF-8")
	}
	return name, value, nil
}

// flaw is what is wrong with a request, for people. It quotes nothing of it, so
// that it can be shown.
type flaw string

func (f flaw) Error() string { return string(f) }

func badForm(reason auth.Reason, problem flaw) error {
	return auth.Fail(auth.Malformed, reason, problem)
}

// parseScope reads a list of scope tokens (RFC 6749 section 3.3), each once;
// nil for none. Names that no key can have are as good as unknown.
func parseScope(text string) (auth.Scope, error) {
	var scope auth.Scope
	for name := range strings.SplitSeq(text, " ") {
		switch {
		case name == "" || scope.Has(name):
		case !auth.ValidName(name):
			return nil, auth.Fail(auth.InsufficientScope, auth.ReasonForm, nil)
		default:
			scope = append(scope, name)
		}
	}
	return scope, nil
}
