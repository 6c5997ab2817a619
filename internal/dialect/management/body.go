package management

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// readBody reads the body of a call that changes something. A request without
// a body needs no content type.
func (a *api) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	mediaType, err := dialect.ContentType(r.Header)
	if err != nil {
		return nil, err
	}
	if mediaType.Name != "" && !readable(mediaType.Name) {
		return nil, auth.Fail(auth.Malformed, auth.ReasonMediaType, nil)
	}
	body, err := dialect.ReadBody(w, r, a.maxBody)
	if err != nil {
		return nil, err
	}
	if mediaType.Name == "" && len(body) > 0 {
		return nil, auth.Fail(auth.Malformed, auth.ReasonMediaType, errors.New("a body without a content type"))
	}
	return body, nil
}

// readable reports whether a body of this type is plain JSON here. A JSON
// patch type carries no patch: the original's page sends its samples as one.
func readable(name string) bool {
	return name == "application/json" || name == "text/json" ||
		strings.HasPrefix(name, "application/") && strings.HasSuffix(name, "+json")
}
