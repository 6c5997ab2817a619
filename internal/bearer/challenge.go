package bearer

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Challenge returns the value of WWW-Authenticate for a refusal (RFC 6750
// section 3): without an error where no credential came, since there is
// nothing to say about it. "" for a code that is not about the credential. The
// realm attribute is left out where realm is "".
func Challenge(code auth.Code, realm string) string {
	word := ""
	switch code {
	case auth.NoCredential:
	case auth.InvalidCredential:
		word = "invalid_token"
	case auth.InsufficientScope:
		word = "insufficient_scope"
	case auth.Malformed:
		word = "invalid_request"
	default:
		return ""
	}
	var attributes []string
	if realm != "" {
		attributes = append(attributes, `realm="`+quote(realm)+`"`)
	}
	if word != "" {
		attributes = append(attributes, `error="`+word+`"`)
	}
	return strings.TrimSpace("Bearer " + strings.Join(attributes, ", "))
}

// quote returns text as it can stand in a quoted-string (RFC 9110 section
// 5.6.4). Bytes that are not printable ASCII are percent-encoded, so that no
// realm ends the field or begins another.
func quote(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
