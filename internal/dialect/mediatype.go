package dialect

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// MediaType is the type of a request's body.
type MediaType struct {
	// Name is "type/subtype" in lower case, "" where the request names none.
	Name string
	// Charset is "utf-8", "us-ascii" or, where the request names none, "".
	Charset string
}

// ContentType returns the media type of a request's body. Two fields are
// [auth.Malformed] with [auth.ReasonDuplicate]. [auth.ReasonMediaType], which
// the wires say as 415, stands for a value that is no media type, a charset
// other than utf-8 and us-ascii (RFC 8259 section 8.1 knows no other) and a
// content coding, since nobody here unpacks one (RFC 9110 section 8.4).
func ContentType(h http.Header) (MediaType, error) {
	if coding := h.Values("Content-Encoding"); len(coding) > 1 || len(coding) == 1 && !strings.EqualFold(coding[0], "identity") {
		return MediaType{}, unsupported(errors.New("the body has a content coding"))
	}
	fields := h.Values("Content-Type")
	if len(fields) == 0 {
		return MediaType{}, nil
	}
	if len(fields) > 1 {
		return MediaType{}, auth.Fail(auth.Malformed, auth.ReasonDuplicate, errors.New("two Content-Type fields"))
	}
	name, params, err := mime.ParseMediaType(fields[0])
	if err != nil || !strings.Contains(name, "/") {
		return MediaType{}, unsupported(errors.New("the content type is no media type"))
	}
	charset := strings.ToLower(params["charset"])
	if _, named := params["charset"]; named && charset != "utf-8" && charset != "us-ascii" {
		return MediaType{}, unsupported(fmt.Errorf("%s in a charset nobody reads", name))
	}
	return MediaType{name, charset}, nil
}

func unsupported(cause error) error {
	return auth.Fail(auth.Malformed, auth.ReasonMediaType, cause)
}
