package oauth2

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The endpoints about tokens, below the base path.
const (
	introspectPath = "/introspect"
	revokePath     = "/revoke"
)

const bearerType = "Bearer"

// tokenTypes are the values of token_type. What is no access token has a type
// that nobody takes for one to call with.
var tokenTypes = map[session.TokenKind]string{
	session.KindAccess:  bearerType,
	session.KindRefresh: "refresh_token",
	session.KindOneTime: "login_token",
	session.KindEntity:  "entity_token",
}

// introspection is the answer of RFC 7662 section 2.2.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Username  string `json:"username,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	Expires   int64  `json:"exp,omitempty"`
	Issued    int64  `json:"iat,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	ID        string `json:"jti,omitempty"`
}

// introspect says what a token of the client's subject is.
func (d *Dialect) introspect(w http.ResponseWriter, r *http.Request) {
	c, text, ok := d.aboutToken(w, r)
	if !ok {
		return
	}
	i, err := d.service.Introspect(r.Context(), c, text)
	if err != nil {
		d.fail(w, r, atGrant, err)
		return
	}
	write(w, http.StatusOK, d.newIntrospection(i))
}

// revoke withdraws a token of the client's subject. Whatever the token is, the
// answer is the same (RFC 7009 section 2.2).
func (d *Dialect) revoke(w http.ResponseWriter, r *http.Request) {
	c, text, ok := d.aboutToken(w, r)
	if !ok {
		return
	}
	if err := d.service.RevokeToken(r.Context(), c, text); err != nil {
		d.fail(w, r, atGrant, err)
		return
	}
	setFields(w.Header())
	w.WriteHeader(http.StatusOK)
}

// aboutToken reads a request about a token, and answers it where it cannot be
// read or its client is none. token_type_hint is passed over: one look-up finds
// a token of any type.
func (d *Dialect) aboutToken(w http.ResponseWriter, r *http.Request) (c session.Client, text auth.Secret, ok bool) {
	f, err := d.readForm(w, r)
	if err != nil {
		d.fail(w, r, atRequest, err)
		return c, text, false
	}
	named, err := f.required(paramToken)
	if err != nil {
		d.fail(w, r, atRequest, err)
		return c, text, false
	}
	if c, err = d.client(r, f); err != nil {
		d.fail(w, r, atClient, err)
		return c, text, false
	}
	return c, auth.NewSecret(named), true
}

func (d *Dialect) newIntrospection(i session.Introspection) introspection {
	if !i.Active {
		return introspection{}
	}
	return introspection{
		Active: true, Scope: i.Scopes.String(), ClientID: i.ClientID, Username: i.Username, TokenType: tokenTypes[i.Kind],
		Expires: i.Expires.Unix(), Issued: i.Issued.Unix(), Subject: i.Subject, Issuer: d.issuer, ID: i.ID,
	}
}
