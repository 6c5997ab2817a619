package oauth2

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// credentials are what a client says to prove itself.
type credentials struct {
	id string
	// spellings are what its secret may be, of which one has to be right.
	spellings []auth.Secret
}

// client verifies the client of a request (RFC 6749 section 2.3).
func (d *Dialect) client(r *http.Request, f form) (session.Client, error) {
	c, err := readClient(r.Header, f)
	if err != nil {
		return session.Client{}, err
	}
	return d.service.Client(r.Context(), c.id, c.spellings...)
}

// readClient reads the credentials of a client, which come in one way: by the
// scheme Basic or in the body. [auth.NoCredential] for a client that does not
// say how it can be told from another, [auth.Malformed] for one that says it
// twice.
func readClient(h http.Header, f form) (credentials, error) {
	fields := h.Values("Authorization")
	if len(fields) > 1 {
		return credentials{}, badForm(auth.ReasonDuplicate, "two Authorization fields")
	}
	if len(fields) == 0 {
		return readBody(f)
	}
	if f[paramSecret] != "" {
		return credentials{}, badForm(auth.ReasonAmbiguous, "two ways to authenticate")
	}
	scheme, rest, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, auth.Fail(auth.NoCredential, auth.ReasonUnsupported, nil)
	}
	c, err := readBasic(strings.TrimLeft(rest, " "))
	if err != nil {
		return credentials{}, err
	}
	if named := f[paramClient]; named != "" && named != c.id { // some clients name themselves in the body as well
		return credentials{}, badForm(auth.ReasonMismatch, "two client ids")
	}
	return c, nil
}

func readBody(f form) (credentials, error) {
	if f[paramSecret] == "" {
		return credentials{}, auth.Fail(auth.NoCredential, "", nil)
	}
	id, err := f.required(paramClient)
	if err != nil {
		return credentials{}, err
	}
	return credentials{id, []auth.Secret{auth.NewSecret(f[paramSecret])}}, nil
}

// readBasic reads the credentials of the scheme Basic (RFC 7617). Id and secret
// are form-encoded before they are joined (RFC 6749 section 2.3.1), which many
// clients leave out, curl for one: so both readings of a secret count.
func readBasic(text string) (credentials, error) {
	pair, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return credentials{}, badForm(auth.ReasonForm, "the Basic credentials are no base64")
	}
	id, secret, ok := strings.Cut(string(pair), ":")
	if !ok {
		return credentials{}, badForm(auth.ReasonForm, "the Basic credentials have no colon")
	}
	if decoded, err := url.QueryUnescape(id); err == nil {
		id = decoded
	}
	c := credentials{id, []auth.Secret{auth.NewSecret(secret)}}
	if decoded, err := url.QueryUnescape(secret); err == nil && decoded != secret {
		c.spellings = append(c.spellings, auth.NewSecret(decoded))
	}
	return c, nil
}
