package bearer

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const authorization = "Authorization"

// The schemes; a lenient Bearer knows both of its own.
const (
	bearerScheme = "bearer"
	jwtScheme    = "jwt"
	basicScheme  = "basic"
)

// readBearer returns the token of an Authorization field (RFC 6750 section
// 2.1): the scheme in any case, one space, b64token characters.
func (s *Spec) readBearer(r *http.Request) (string, error) {
	text, err := s.schemeValue(r)
	if err != nil || text == "" {
		return "", err
	}
	if len(text) > MaxValue {
		return "", tooLong()
	}
	if !isB64Token(text) {
		return "", invalid(auth.ReasonForm)
	}
	return text, nil
}

// readBasic returns the username of an Authorization field (RFC 7617). The
// colon may be missing and the password is ignored, since public clients leave
// them out; the base64 is taken strictly, so that a key has one spelling.
func (s *Spec) readBasic(r *http.Request) (string, error) {
	text, err := s.schemeValue(r)
	if err != nil || text == "" {
		return "", err
	}
	if len(text) > MaxValue {
		return "", tooLong()
	}
	if strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return "", malformed(auth.ReasonForm)
	}
	var space [512]byte
	pair, err := strictBase64.AppendDecode(space[:0], []byte(text))
	if err != nil {
		return "", malformed(auth.ReasonForm)
	}
	key, _, _ := strings.Cut(string(pair), ":")
	if key == "" {
		return "", malformed(auth.ReasonForm)
	}
	return key, nil
}

var strictBase64 = base64.StdEncoding.Strict()

// schemeValue returns what follows the scheme and one space, "" where another
// scheme or none was used. Two Authorization fields are malformed whatever
// their schemes: which of them an upstream would read is anyone's guess. So is
// white space around the value, which HTTP/2 lets through and a proxy drops.
func (s *Spec) schemeValue(r *http.Request) (string, error) {
	value, err := single(r.Header, authorization)
	if err != nil || value == "" {
		return "", err
	}
	scheme, ours := s.scheme(value)
	if !ours {
		return "", nil
	}
	if trimOWS(value) != value {
		return "", malformed(auth.ReasonForm)
	}
	if scheme == "" {
		return value, nil
	}
	rest := value[len(scheme):]
	if len(rest) < 2 || rest[0] != ' ' {
		return "", malformed(auth.ReasonForm)
	}
	return rest[1:], nil
}

// scheme returns the scheme of an Authorization value, "" for none, and
// whether the value is for this spec, whatever follows.
func (s *Spec) scheme(value string) (scheme string, ours bool) {
	value = trimOWS(value)
	switch {
	case s.Kind == auth.Basic:
		return basicScheme, hasScheme(value, basicScheme)
	case hasScheme(value, bearerScheme):
		return bearerScheme, true
	case !s.Lenient:
		return "", false
	case hasScheme(value, jwtScheme):
		return jwtScheme, true
	}
	return "", value != "" && !strings.ContainsAny(value, ows)
}

// ows is the white space that may stand around the value of a field (RFC 9110
// section 5.6.3), and what clients write as such.
const ows = " \t\r\n"

func trimOWS(value string) string {
	for value != "" && isOWS(value[0]) {
		value = value[1:]
	}
	for value != "" && isOWS(value[len(value)-1]) {
		value = value[:len(value)-1]
	}
	return value
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// isJWT reports whether a text has the form of a JWT in its compact
// serialisation (RFC 7519 section 3): three parts.
func isJWT(text string) bool { return strings.Count(text, ".") == 2 }

// hasScheme reports whether an Authorization value uses this scheme, a word of
// lower-case letters, whatever follows it.
func hasScheme(value, scheme string) bool {
	if len(value) < len(scheme) {
		return false
	}
	for i := range len(scheme) {
		if value[i]|0x20 != scheme[i] { // two bytes in all give a letter: its upper and its lower case
			return false
		}
	}
	return len(value) == len(scheme) || !isTokenChar(value[len(scheme)])
}

// isB64Token tells the characters of a b64token (RFC 6750 section 2.1):
// letters, digits, -._~+/ and then padding.
func isB64Token(text string) bool {
	n := len(text)
	for n > 0 && text[n-1] == '=' {
		n--
	}
	for i := range n {
		if chars[text[i]]&b64Char == 0 {
			return false
		}
	}
	return n > 0
}

// isTokenChar tells the characters of a token (RFC 9110 section 5.6.2), which
// schemes and field names are made of.
func isTokenChar(c byte) bool { return chars[c]&tokenChar != 0 }

const (
	b64Char = 1 << iota
	tokenChar
)

var chars = func() (table [256]byte) {
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for _, c := range []byte(alnum + "-._~+/") {
		table[c] |= b64Char
	}
	for _, c := range []byte(alnum + "!#$%&'*+-.^_`|~") {
		table[c] |= tokenChar
	}
	return table
}()
