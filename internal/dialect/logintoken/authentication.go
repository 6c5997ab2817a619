package logintoken

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The strategies of the authentication service.
const (
	jwtStrategy   = "jwt"
	localStrategy = "local"
)

// authenticated answers both calls of the authentication service.
type authenticated struct {
	AccessToken    string           `json:"accessToken"`
	Authentication authentication   `json:"authentication"`
	Identity       identityProvider `json:"identity-provider"`
}

type authentication struct {
	Strategy    string          `json:"strategy"`
	AccessToken string          `json:"accessToken"`
	Payload     json.RawMessage `json:"payload"`
}

// identityProvider is a login identity, by the name that it has here.
type identityProvider struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	UserID    string `json:"userId"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`
}

func newAuthenticated(strategy, text string, i session.Identity) authenticated {
	return authenticated{
		AccessToken:    text,
		Authentication: authentication{strategy, text, payload(text)},
		Identity:       identityProvider{i.ID, i.Type, i.Account, date(i.Created), date(i.Updated)},
	}
}

// authenticate answers POST: with the JWT that was sent, if it is good, or
// with a new one for a password.
func (a *api) authenticate(w http.ResponseWriter, r *http.Request, _ string) {
	answer, err := a.authenticated(w, r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	write(w, http.StatusCreated, answer)
}

func (a *api) authenticated(w http.ResponseWriter, r *http.Request) (authenticated, error) {
	body, err := a.readBody(w, r)
	if err != nil {
		return authenticated{}, err
	}
	in, err := decodeAuthentication(body)
	if err != nil {
		return authenticated{}, err
	}
	if in.strategy == jwtStrategy {
		return a.verified(r, in.accessToken.Reveal())
	}
	return a.loggedIn(r, in)
}

// verified answers for a JWT.
func (a *api) verified(r *http.Request, text string) (authenticated, error) {
	if !isJWT(text) { // an API key is none
		return authenticated{}, ofToken(auth.Fail(auth.InvalidCredential, auth.ReasonForm, nil), text)
	}
	p, err := a.service.Resolve(r.Context(), bearer.Credential{Kind: auth.Bearer, Token: text})
	if err != nil {
		return authenticated{}, ofToken(err, text)
	}
	i, err := a.service.IdentityOf(r.Context(), p)
	return newAuthenticated(jwtStrategy, text, i), err
}

// loggedIn answers for a password. All that the caller's own words cause is
// one failure, whatever it was.
func (a *api) loggedIn(r *http.Request, in credentials) (authenticated, error) {
	issued, err := a.service.LoginPassword(r.Context(), in.username, in.password)
	if err != nil {
		if e := auth.AsError(err); e.Code == auth.InvalidCredential {
			err = auth.Fail(e.Code, e.Reason, shown("Invalid login"))
		}
		return authenticated{}, err
	}
	i, err := a.service.IdentityOf(r.Context(), issued.Principal)
	return newAuthenticated(localStrategy, issued.Token.Reveal(), i), err
}

// logout answers DELETE: the JWT of the call is revoked. One that the path
// names has to be the same.
func (a *api) logout(w http.ResponseWriter, r *http.Request, id string) {
	answer, err := a.loggedOut(r, id)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	write(w, http.StatusOK, answer)
}

func (a *api) loggedOut(r *http.Request, id string) (authenticated, error) {
	c, err := read(r)
	if err != nil {
		return authenticated{}, err
	}
	if id != "" && id != c.Token {
		return authenticated{}, auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, shown("Invalid access token"))
	}
	answer, err := a.verified(r, c.Token)
	if err != nil {
		return authenticated{}, err
	}
	return answer, a.service.Revoke(r.Context(), c.Token)
}

// credentials is the body of POST: with the strategy jwt an access token, with
// local a name and a password. What the strategy needs is never empty.
type credentials struct {
	strategy    string
	accessToken auth.Secret
	username    string
	password    auth.Secret
}

// decodeAuthentication reads `{"strategy",…}`. Members that are not known say
// nothing. What is missing is not authenticated rather than malformed, as in
// Feathers.
func decodeAuthentication(body []byte) (credentials, error) {
	if len(body) == 0 || string(bytes.Trim(body, " \t\r\n")) == "null" {
		return credentials{}, auth.Fail(auth.NoCredential, "", nil)
	}
	o, err := dialect.ParseObject(body, dialect.ExactNames)
	if err != nil {
		return credentials{}, err
	}
	texts := map[string]string{}
	for _, name := range []string{"strategy", "accessToken", "username", "email", "password"} {
		texts[name], _ = o.Text(name)
	}
	if o.Err() != nil {
		return credentials{}, wrongMember(o)
	}
	if texts["username"] == "" {
		texts["username"] = texts["email"]
	}
	in := credentials{texts["strategy"], auth.NewSecret(texts["accessToken"]), texts["username"], auth.NewSecret(texts["password"])}
	if missing := in.missing(); missing != "" {
		return credentials{}, auth.Fail(auth.NoCredential, "", missing)
	}
	return in, nil
}

// wrongMember says which member is no text.
func wrongMember(o dialect.Object) error {
	for _, name := range []string{"strategy", "accessToken", "username", "email", "password"} {
		if _, ok := o.Text(name); o.Has(name) && !ok {
			return wrongType("/"+name, "string")
		}
	}
	return o.Err()
}

// missing says what is missing for the strategy, "" where nothing is.
func (c credentials) missing() shown {
	switch {
	case c.strategy == "":
		return "Invalid authentication information (no `strategy` set)"
	case c.strategy == jwtStrategy && c.accessToken.Empty():
		return "No access token"
	case c.strategy == localStrategy && (c.username == "" || c.password.Empty()):
		return "Invalid login"
	case c.strategy != jwtStrategy && c.strategy != localStrategy:
		return "Invalid authentication information (strategy not allowed in authStrategies)"
	}
	return ""
}
