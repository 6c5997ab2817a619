package oauth2

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// tokenPath is the token endpoint below the base path.
const tokenPath = "/token"

// The grants that there are.
const (
	grantClient  = "client_credentials"
	grantRefresh = "refresh_token"
)

// tokenResponse is the answer of RFC 6749 section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// token trades the credentials of a client, alone or with a refresh token, for
// tokens.
func (d *Dialect) token(w http.ResponseWriter, r *http.Request) {
	f, err := d.readForm(w, r)
	if err != nil {
		d.fail(w, r, atRequest, err)
		return
	}
	grant, err := f.required(paramGrant)
	if err != nil {
		d.fail(w, r, atRequest, err)
		return
	}
	c, err := d.client(r, f)
	if err != nil {
		d.fail(w, r, atClient, err)
		return
	}
	t, err := d.grant(r, c, grant, f)
	if err != nil {
		d.fail(w, r, atGrant, err)
		return
	}
	write(w, http.StatusOK, newTokenResponse(t))
}

func (d *Dialect) grant(r *http.Request, c session.Client, grant string, f form) (session.Tokens, error) {
	scope, err := parseScope(f[paramScope])
	switch {
	case grant == grantClient && err == nil:
		return d.service.ClientTokens(r.Context(), c, scope)
	case grant == grantRefresh && d.refreshes && err == nil:
		return d.refresh(r, c, f, scope)
	case grant == grantClient, grant == grantRefresh && d.refreshes:
		return session.Tokens{}, err
	}
	return session.Tokens{}, auth.Fail(auth.Malformed, auth.ReasonUnsupported, nil)
}

func (d *Dialect) refresh(r *http.Request, c session.Client, f form, scope auth.Scope) (session.Tokens, error) {
	text, err := f.required(paramRefresh)
	if err != nil {
		return session.Tokens{}, err
	}
	return d.service.RefreshTokens(r.Context(), c, auth.NewSecret(text), scope)
}

func newTokenResponse(t session.Tokens) tokenResponse {
	a := tokenResponse{
		AccessToken: t.Access.Token.Reveal(), TokenType: bearerType,
		ExpiresIn: max(1, int64(t.Access.TTL/time.Second)), RefreshToken: t.Refresh.Token.Reveal(),
	}
	if p := t.Access.Principal; p != nil {
		a.Scope = p.Scopes.String()
	}
	return a
}
