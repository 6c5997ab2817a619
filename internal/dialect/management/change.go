package management

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The bounds of what a caller may store. They keep one account from filling
// the store, and a row from slowing every read of the account.
const (
	maxText     = 256     // characters
	maxLongText = 4096    // characters
	maxImage    = 1 << 20 // bytes
)

// decodeChange reads `{"user":{…}}`. A member that is absent or null stays as
// it is. Members that are not the caller's to change are not looked at: id,
// userName, roles, apiKeys, customerId, rank, createdAt, updatedAt, lastLogIn.
func decodeChange(body []byte) (session.ProfileChange, error) {
	o, err := dialect.ParseObject(body, dialect.FoldNames)
	if err != nil {
		return session.ProfileChange{}, err
	}
	user, ok := o.Object("user")
	if !ok && !o.Has("user") {
		o.Reject("user", "is required")
	}
	c := change{in: user}
	c.texts()
	c.dates()
	c.image()
	out := session.ProfileChange{Email: c.email(), Settings: c.settings()}
	if err := o.Err(); err != nil {
		return session.ProfileChange{}, err
	}
	out.Profile = c.apply
	return out, nil
}

// change collects what to set in a profile.
type change struct {
	in   dialect.Object
	sets []func(*session.Profile)
}

func (c *change) apply(p *session.Profile) {
	for _, set := range c.sets {
		set(p)
	}
}

func (c *change) set(f func(*session.Profile)) { c.sets = append(c.sets, f) }

// profileTexts are the members that are plain text.
var profileTexts = []struct {
	name string
	max  int
	at   func(*session.Profile) *string
}{
	{"phoneNumber", maxText, func(p *session.Profile) *string { return &p.PhoneNumber }},
	{"title", maxText, func(p *session.Profile) *string { return &p.Title }},
	{"firstName", maxText, func(p *session.Profile) *string { return &p.FirstName }},
	{"lastName", maxText, func(p *session.Profile) *string { return &p.LastName }},
	{"department", maxText, func(p *session.Profile) *string { return &p.Department }},
	{"address", maxLongText, func(p *session.Profile) *string { return &p.Address }},
	{"postalCode", maxText, func(p *session.Profile) *string { return &p.PostalCode }},
	{"region", maxText, func(p *session.Profile) *string { return &p.Region }},
	{"city", maxText, func(p *session.Profile) *string { return &p.City }},
	{"country", maxText, func(p *session.Profile) *string { return &p.Country }},
	{"countryCode", maxText, func(p *session.Profile) *string { return &p.CountryCode }},
	{"mobile", maxText, func(p *session.Profile) *string { return &p.Mobile }},
	{"notes", maxLongText, func(p *session.Profile) *string { return &p.Notes }},
}

func (c *change) texts() {
	for _, m := range profileTexts {
		if text, ok := boundedText(c.in, m.name, m.max); ok {
			c.set(func(p *session.Profile) { *m.at(p) = text })
		}
	}
}

func (c *change) email() *string {
	text, ok := boundedText(c.in, "email", maxText)
	if !ok {
		return nil
	}
	return &text
}

// boundedText returns a member of at most limit characters, none of them a
// control other than those that break lines.
func boundedText(o dialect.Object, name string, limit int) (string, bool) {
	text, ok := o.Text(name)
	switch {
	case !ok:
		return "", false
	case utf8.RuneCountInString(text) > limit:
		o.Reject(name, fmt.Sprintf("must have at most %d characters", limit))
	case strings.ContainsFunc(text, isControl):
		o.Reject(name, "must not hold control characters")
	default:
		return text, true
	}
	return "", false
}

func isControl(r rune) bool {
	return (r < 0x20 && r != '\t' && r != '\n' && r != '\r') || (0x7f <= r && r < 0xa0)
}

func (c *change) dates() {
	if t, ok := c.date("birthDate"); ok {
		c.set(func(p *session.Profile) { p.BirthDate = &t })
	}
	if t, ok := c.date("lastDismissMessages"); ok {
		c.set(func(p *session.Profile) { p.LastDismissMessages = &t })
	}
}

// noDate begins what .NET writes for a date that was never set.
const noDate = "0001-01-01T00:00:00"

// date reads an RFC 3339 instant, cut to the second that answers show.
func (c *change) date(name string) (time.Time, bool) {
	text, ok := c.in.Text(name)
	if !ok || strings.HasPrefix(text, noDate) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	t = t.UTC().Truncate(time.Second)
	if err != nil || t.Year() < 1 || t.Year() > 9999 { // what UTC cannot be written in
		c.in.Reject(name, "must be a date and time such as 2019-08-24T14:15:22Z")
		return time.Time{}, false
	}
	return t, true
}

// image reads standard base64, strictly, so that one image has one spelling.
func (c *change) image() {
	text, ok := c.in.Text("image")
	if !ok {
		return
	}
	picture, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		c.in.Reject("image", "must be base64")
		return
	}
	if len(picture) > maxImage {
		c.in.Reject("image", fmt.Sprintf("must have at most %d bytes", maxImage))
		return
	}
	c.set(func(p *session.Profile) { p.Image = picture })
}

// settings reads the new values of settings, by id. Which of them exist and
// may be changed is the service's to say; the others it leaves alone.
func (c *change) settings() []session.Setting {
	list, _ := c.in.Objects("settings")
	var settings []session.Setting
	seen := map[int64]bool{}
	for _, o := range list {
		id, ok := o.Int("id")
		if !ok && !o.Has("id") {
			o.Reject("id", "is required")
		}
		if ok && seen[id] {
			o.Reject("id", "must not stand twice")
		}
		seen[id] = true
		if value, ok := boundedText(o, "value", maxLongText); ok {
			settings = append(settings, session.Setting{ID: id, Value: value})
		}
	}
	return settings
}
