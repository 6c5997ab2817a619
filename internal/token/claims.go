package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Claims is what a JWT issued here says (RFC 7519 section 4.1).
type Claims struct {
	// ID is the jti: the id of the session behind the token.
	ID string
	// Subject is the sub.
	Subject string
	// Issued and Expires are the iat and the exp, both cut to a second, so that
	// they are as far apart as the token lives; an exp is raised where it would
	// be the iat. The session's own expiry, which may fall within the second
	// that begins with exp, is the one that counts.
	Issued, Expires time.Time
	// TextDates has iat and exp written as text, as the tokens of crm_token
	// are. Such tokens are signed with keys of their own, so that which form
	// is right is told by the key and never by the token.
	TextDates bool
	// Access makes it an access token of RFC 9068, which others verify too; nil
	// for one that is for us alone.
	Access *Access
	// Extra holds the dialect's own claims by name; a registered claim must
	// not be among them. After [Signers.Verify] numbers are float64.
	Extra map[string]any
}

const (
	// clockSkew is how far in the future an iat may lie: two nodes that share
	// a store do not share a clock. An exp has no leeway, but for what was cut
	// off it.
	clockSkew = 60 * time.Second
	// maxDate is the last second of the year 9999. It stops arithmetic with
	// times from overflowing.
	maxDate = 253402300799
)

// registered are the claims with a meaning of their own.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// reserved are those that no dialect adds itself.
var reserved = append([]string{claimRealm}, registered...)

// issuer names the realm of a token as a URI, which an iss with a colon must
// be (RFC 7519 section 4.1.1).
func issuer(realm string) string { return "gatehouse:" + url.PathEscape(realm) }

// encode returns the payload for a token of realm.
func (c Claims) encode(realm string) ([]byte, error) {
	members := make(map[string]any, len(c.Extra)+5)
	for name, value := range c.Extra {
		members[name] = value
	}
	for _, name := range reserved {
		if _, ok := c.Extra[name]; ok {
			return nil, fmt.Errorf("the claim %q is not a dialect's own", name)
		}
	}
	iat, exp := c.Issued.Unix(), c.Expires.Unix()
	if exp == iat && c.Expires.After(c.Issued) {
		exp++
	}
	if c.ID == "" || c.Subject == "" || iat < 0 || exp <= iat || exp > maxDate {
		return nil, errors.New("a token needs an id, a subject and an expiry after its issue")
	}
	members["iss"], members["jti"], members["sub"] = issuer(realm), c.ID, c.Subject
	members["iat"], members["exp"] = iat, exp
	if c.TextDates {
		members["iat"], members["exp"] = strconv.FormatInt(iat, 10), strconv.FormatInt(exp, 10)
	}
	if c.Access != nil {
		c.Access.encode(members, realm)
	}
	return json.Marshal(members)
}

var (
	errForeign = errors.New("the token is of another realm")
	errClaims  = errors.New("a claim is missing or has the wrong form")
	errEarly   = errors.New("the token was issued in the future")
	errExpired = errors.New("the token has expired")
)

// decodeClaims reads a payload whose signature was verified, and checks it.
// Expiry comes last: only a token that is right in everything else is told to
// have expired.
func decodeClaims(payload []byte, realm, use string, now time.Time) (Claims, error) {
	var members map[string]any
	if err := json.Unmarshal(payload, &members); err != nil {
		return Claims{}, errClaims
	}
	textDates := use == UseTextDates
	c := Claims{TextDates: textDates}
	if isAccess(use) {
		var err error
		if c.Access, err = decodeAccess(members, realm); err != nil {
			return Claims{}, err
		}
	}
	if members["iss"] != issuer(realm) {
		return Claims{}, errForeign
	}
	var ok [4]bool
	c.ID, ok[0] = members["jti"].(string)
	c.Subject, ok[1] = members["sub"].(string)
	c.Issued, ok[2] = date(members["iat"], textDates)
	c.Expires, ok[3] = date(members["exp"], textDates)
	if ok != [4]bool{true, true, true, true} || c.ID == "" || c.Subject == "" {
		return Claims{}, errClaims
	}
	if members["nbf"] != nil || members["aud"] != nil { // never written here
		return Claims{}, errClaims
	}
	if c.Issued.After(now.Add(clockSkew)) {
		return Claims{}, errEarly
	}
	if !now.Before(c.Expires.Add(time.Second)) { // the session knows when within it
		return Claims{}, errExpired
	}
	for _, name := range registered {
		delete(members, name)
	}
	c.Extra = members
	return c, nil
}

// date reads a NumericDate (RFC 7519 section 2) of whole seconds, or the same
// digits as text.
func date(value any, text bool) (time.Time, bool) {
	if s, ok := value.(string); ok && text {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil || seconds < 0 || seconds > maxDate || strconv.FormatInt(seconds, 10) != s {
			return time.Time{}, false
		}
		return time.Unix(seconds, 0).UTC(), true
	}
	f, ok := value.(float64)
	if !ok || text || f < 0 || f > maxDate || f != float64(int64(f)) {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}
