package timedlogin

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The names of the fields, as ModelStateErr lists them.
const (
	userLoginField = "UserLogin"
	apiKeyField    = "ApiKey"
	tokenField     = "Token"
)

// loginReq is LoginReq of the contract. Its Result is always null and means
// nothing: it is passed over, whatever it holds.
type loginReq struct {
	userLogin string
	apiKey    auth.Secret
}

var loginForm = dialect.XMLForm{
	Root:    "Request",
	Text:    []string{userLoginField, apiKeyField},
	Skipped: []string{"Result"},
}

// readLogin reads the body of a login. An error is [auth.Malformed] and holds
// [dialect.FieldErrors] where the body could be read at all.
func (d *Dialect) readLogin(w http.ResponseWriter, r *http.Request) (loginReq, error) {
	t, err := dialect.ContentType(r.Header)
	if err != nil {
		return loginReq{}, err
	}
	if t.Name != "" && !d.media.reads(t.Name) {
		return loginReq{}, auth.Fail(auth.Malformed, auth.ReasonMediaType, nil)
	}
	body, err := dialect.ReadBody(w, r, d.limit)
	if err != nil {
		return loginReq{}, err
	}
	if t.Name == "" && len(body) > 0 {
		return loginReq{}, auth.Fail(auth.Malformed, auth.ReasonMediaType, nil)
	}
	return parseLogin(t, body)
}

// parseLogin reads a body of one of our media types; an empty one lacks both
// fields.
func parseLogin(t dialect.MediaType, body []byte) (loginReq, error) {
	if dialect.Blank(body) {
		return newLoginReq("", "")
	}
	if isXML(t.Name) {
		return parseXML(t, body)
	}
	return parseJSON(body)
}

func parseJSON(body []byte) (loginReq, error) {
	o, err := dialect.ParseObject(body, dialect.FoldNames)
	if err != nil {
		return loginReq{}, err
	}
	userLogin, apiKey := o.Required(userLoginField), o.Required(apiKeyField)
	if err := o.Err(); err != nil {
		return loginReq{}, err
	}
	return newLoginReq(userLogin, apiKey)
}

func parseXML(t dialect.MediaType, body []byte) (loginReq, error) {
	form := loginForm
	form.Charset = t.Charset
	values, err := dialect.ReadXML(body, form)
	if err != nil {
		return loginReq{}, err
	}
	return newLoginReq(values[userLoginField], values[apiKeyField])
}

// newLoginReq makes sure that both fields are there.
func newLoginReq(userLogin, apiKey string) (loginReq, error) {
	var missing dialect.FieldErrors
	if userLogin == "" {
		missing = append(missing, dialect.FieldError{Field: userLoginField, Problem: "is required"})
	}
	if apiKey == "" {
		missing = append(missing, dialect.FieldError{Field: apiKeyField, Problem: "is required"})
	}
	if missing != nil {
		return loginReq{}, auth.Fail(auth.Malformed, auth.ReasonForm, missing)
	}
	return loginReq{userLogin, auth.NewSecret(apiKey)}, nil
}
