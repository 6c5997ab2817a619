package dialect

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// ContentType returns the media type of a request's body in lower case,
// without parameters, and "" where the request names none. Two fields are
// [auth.Malformed] with [auth.ReasonDuplicate]. [auth.ReasonMediaType], which
// the wires say as 415, stands for a value that is no media type, a charset
// other than utf-8 and us-ascii (RFC 8259 section 8.1 knows no other) and a
// content coding, since nobody here unpacks one (RFC 9110 section 8.4).
func ContentType(h http.Header) (string, error) {
	if coding := h.Values("Content-Encoding"); len(coding) > 1 || len(coding) == 1 && !strings.EqualFold(coding[0], "identity") {
		return "", unsupported(errors.New("the body has a content coding"))
	}
	fields := h.Values("Content-Type")
	if len(fields) == 0 {
		return "", nil
	}
	if len(fields) > 1 {
		return "", auth.Fail(auth.Malformed, auth.ReasonDuplicate, errors.New("two Content-Type fields"))
	}
	mediaType, params, err := mime.ParseMediaType(fields[0])
	if err != nil || !strings.Contains(mediaType, "/") {
		return "", unsupported(errors.New("the content type is no media type"))
	}
	if !readableCharset(params) {
		return "", unsupported(fmt.Errorf("%s in a charset nobody reads", mediaType))
	}
	return mediaType, nil
}

func readableCharset(params map[string]string) bool {
	charset, named := params["charset"]
	return !named || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii")
}

func unsupported(cause error) error {
	return auth.Fail(auth.Malformed, auth.ReasonMediaType, cause)
}
