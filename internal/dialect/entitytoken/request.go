package entitytoken

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The members of bodies.
const (
	tokenField  = "authenticationToken"
	expiryField = "expiry"
	flagsField  = "flags"
)

// The bounds of flags. They keep one token from filling the store.
const (
	maxFlags = 64
	maxFlag  = 128 // characters
)

// readObject reads a body that may be nothing: then its content type, which
// clients send all the same, says nothing either.
func (d *Dialect) readObject(w http.ResponseWriter, r *http.Request) (dialect.Object, error) {
	body, err := dialect.ReadBody(w, r, d.limit)
	if err != nil {
		return dialect.Object{}, err
	}
	if dialect.Blank(body) {
		return parseObject(nil)
	}
	t, err := dialect.ContentType(r.Header)
	if err != nil {
		return dialect.Object{}, err
	}
	if !readable(t.Name) {
		return dialect.Object{}, auth.Fail(auth.Malformed, auth.ReasonMediaType, nil)
	}
	return parseObject(body)
}

// parseObject reads a JSON object; nothing and null are one without members.
func parseObject(body []byte) (dialect.Object, error) {
	if text := bytes.TrimSpace(body); len(text) == 0 || string(text) == "null" {
		body = []byte("{}")
	}
	return dialect.ParseObject(body, dialect.ExactNames)
}

// readable reports whether a body of this type is plain JSON.
func readable(name string) bool {
	return name == "application/json" || name == "text/json" ||
		strings.HasPrefix(name, "application/") && strings.HasSuffix(name, "+json")
}

// readRefresh returns the token that is to be refreshed, "" for whichever is
// there.
func (d *Dialect) readRefresh(w http.ResponseWriter, r *http.Request) (string, error) {
	o, err := d.readObject(w, r)
	if err != nil {
		return "", err
	}
	old, ok := o.Text(tokenField)
	if ok && old == "" {
		o.Reject(tokenField, "must not be empty")
	}
	return old, o.Err()
}

func (d *Dialect) readChange(w http.ResponseWriter, r *http.Request) (session.EntityTokenChange, error) {
	o, err := d.readObject(w, r)
	if err != nil {
		return session.EntityTokenChange{}, err
	}
	c := session.EntityTokenChange{Expires: readExpiry(o), Flags: readFlags(o)}
	return c, o.Err()
}

// dateTime is the date-time of RFC 3339 section 5.6, in upper case:
// [time.Parse] takes a comma, an hour of one digit and an offset of a day too.
var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// readExpiry reads an instant of RFC 3339, in which T and Z may be in lower
// case.
func readExpiry(o dialect.Object) *time.Time {
	text, ok := o.Text(expiryField)
	if !ok {
		return nil
	}
	text = strings.ToUpper(text)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !dateTime.MatchString(text) {
		o.Reject(expiryField, "must be a date and time such as 2026-08-24T14:15:22Z")
		return nil
	}
	t = t.UTC()
	return &t
}

func readFlags(o dialect.Object) *[]string {
	flags, ok := o.Texts(flagsField)
	if !ok {
		return nil
	}
	if len(flags) > maxFlags {
		o.Reject(flagsField, fmt.Sprintf("must have at most %d elements", maxFlags))
		return nil
	}
	for _, f := range flags {
		if problem := badFlag(f); problem != "" {
			o.Reject(flagsField, problem)
			return nil
		}
	}
	return &flags
}

func badFlag(text string) string {
	if utf8.RuneCountInString(text) > maxFlag {
		return fmt.Sprintf("must be of at most %d characters each", maxFlag)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }) {
		return "must not hold control characters"
	}
	return ""
}
