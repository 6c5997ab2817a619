package logintoken

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The failures of a redeem, as the original's client shows them.
const (
	redeemNothing = "invalid login token, cannot be null or undefined"
	redeemInvalid = "Invalid login token"
	redeemExpired = "Login link has expired"
)

// maxRedirect bounds in bytes what an answer repeats of a redirectUrl.
const maxRedirect = 2048

// link is a request to trade a login token.
type link struct {
	// id is "" in the older form, which has nothing but the token.
	id        string
	token     auth.Secret
	associate bool
	// redirect is where the client is to go on to, "" for nowhere.
	redirect string
}

// redeemed answers a redeem: one of its members is set.
type redeemed struct {
	Token string `json:"token,omitempty"`
	Error string `json:"error,omitempty"`
}

// redeem answers GET of a link, once with a JWT.
func (a *api) redeem(w http.ResponseWriter, r *http.Request, id string) {
	l, err := a.readLink(r, id)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if l.token.Empty() {
		dialect.Refused(r.Context(), auth.Fail(auth.NoCredential, "", nil))
		a.answerLink(w, l, redeemed{Error: redeemNothing})
		return
	}
	issued, err := a.service.Redeem(r.Context(), l.id, l.token, l.associate)
	if err == nil {
		a.answerLink(w, l, redeemed{Token: issued.Token.Reveal()})
		return
	}
	if auth.CodeOf(err) != auth.InvalidCredential {
		a.refuse(w, r, err)
		return
	}
	dialect.Refused(r.Context(), err)
	why := redeemInvalid
	if auth.AsError(err).Reason == auth.ReasonExpired {
		why = redeemExpired
	}
	a.answerLink(w, l, redeemed{Error: why})
}

// readLink reads a link: `/login/{id}?token=…`, or `/login/{token}`, which is
// told by its form alone. Members of the query that are not known say nothing.
func (a *api) readLink(r *http.Request, id string) (link, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return link{}, badQuery("The query is not well encoded")
	}
	for _, name := range []string{"token", "associate", "redirectUrl"} {
		if len(values[name]) > 1 {
			return link{}, auth.Fail(auth.Malformed, auth.ReasonDuplicate, shown(name+" stands twice"))
		}
	}
	l := link{
		id: id, token: auth.NewSecret(values.Get("token")),
		associate: values.Get("associate") == "true", redirect: values.Get("redirectUrl"),
	}
	if text, ok := token.ParseLowerHex(id); ok {
		l.id, l.token = "", auth.NewSecret(text)
	}
	if l.redirect != "" && !a.ownOrigin(r, l.redirect) {
		return link{}, badQuery(shown("Invalid redirect URL: " + l.redirect[:min(len(l.redirect), maxRedirect)]))
	}
	return l, nil
}

// ownOrigin reports whether a URL is of the client's origin, or of this site's
// where no client is configured. TLS may end in front of this site, so that
// its own scheme is not known.
func (a *api) ownOrigin(r *http.Request, text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(text, "\\\t\r\n") {
		return false
	}
	if a.client != nil {
		return u.Scheme == a.client.Scheme && host(u) == host(a.client)
	}
	return host(u) == host(&url.URL{Scheme: u.Scheme, Host: r.Host})
}

// host returns host and port in the form in which origins are compared.
func host(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return dialect.LowerASCII(u.Hostname()) + ":" + port
}

// answerLink answers in JSON and, where a client is configured, sends the
// browser there. The address that was asked for holds the token, and the next
// one the JWT: neither is to reach anybody as a referrer.
func (a *api) answerLink(w http.ResponseWriter, l link, answer redeemed) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if a.client == nil {
		write(w, http.StatusOK, answer)
		return
	}
	w.Header().Set("Location", a.client.String()+answer.target(l))
	write(w, http.StatusFound, answer)
}

// target is the page of the client that takes the answer, with spaces as the
// original's framework writes them.
func (r redeemed) target(l link) string {
	if r.Error != "" {
		return "/?error=" + strings.ReplaceAll(r.Error, " ", "%20")
	}
	target := "/auth/magiclink?type=login&token=" + r.Token
	if l.redirect != "" {
		target += "&path=" + url.QueryEscape(l.redirect)
	}
	return target
}
