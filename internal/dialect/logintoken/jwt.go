package logintoken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// badToken is the cause of a refusal that is about a token that was presented.
// Its text says nothing of the token.
type badToken struct{ text auth.Secret }

func (badToken) Error() string { return "the access token" }

// ofToken notes in a refusal which token it is about.
func ofToken(err error, text string) error {
	e := auth.AsError(err)
	if e == nil || e.Code != auth.InvalidCredential {
		return err
	}
	return &auth.Error{Code: e.Code, Reason: e.Reason, RetryAfter: e.RetryAfter, Err: errors.Join(badToken{auth.NewSecret(text)}, e.Err)}
}

// tokenData is what the original's JWT library says of a bad token.
type tokenData struct {
	Name      string `json:"name"`
	ExpiredAt string `json:"expiredAt,omitempty"`
}

// judgeToken says what is wrong with a credential. Expired is told of a genuine
// token alone; what is no JWT can be seen by anyone; wrong, revoked and foreign
// ones read alike.
func judgeToken(e *auth.Error) problem {
	if text, ok := errors.AsType[shown](e); ok {
		return notAuthenticated.problem(http.StatusUnauthorized, string(text))
	}
	about, _ := errors.AsType[badToken](e)
	text := about.text.Reveal()
	switch {
	case !isJWT(text):
		return badJWT("jwt malformed", tokenData{Name: "JsonWebTokenError"})
	case e.Reason == auth.ReasonExpired && !errors.Is(e, auth.ErrKey):
		return badJWT("jwt expired", tokenData{Name: "TokenExpiredError", ExpiredAt: expiredAt(text)})
	}
	return badJWT("invalid signature", tokenData{Name: "JsonWebTokenError"})
}

func badJWT(message string, data tokenData) problem {
	p := notAuthenticated.problem(http.StatusUnauthorized, message)
	p.Data = data
	return p
}

// isJWT reports whether a text has the form of a signed JWT: three parts, the
// first two of which are JSON objects.
func isJWT(text string) bool {
	if strings.Count(text, ".") != 2 {
		return false
	}
	head, rest, _ := strings.Cut(text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	return part(head) != nil && part(payload) != nil
}

// part decodes a part of a JWT that is a JSON object; nil where it is none.
func part(text string) json.RawMessage {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || !json.Valid(decoded) || len(decoded) == 0 || decoded[0] != '{' {
		return nil
	}
	return decoded
}

// payload returns the claims of a JWT as they stand in it.
func payload(text string) json.RawMessage {
	_, rest, _ := strings.Cut(text, ".")
	claims, _, _ := strings.Cut(rest, ".")
	return part(claims)
}

// expiredAt returns the exp of a genuine token in the form of a JavaScript
// date; "" where it says none.
func expiredAt(text string) string {
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if err := json.Unmarshal(payload(text), &claims); err != nil || claims.Expires == 0 {
		return ""
	}
	return date(time.Unix(claims.Expires, 0))
}
