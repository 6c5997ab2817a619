package caddymodule

import (
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// redactor decides what a log may show. Its names are those of one encoder;
// the registered ones come on top.
type redactor struct{ own credentialNames }

// hidesKey reports whether the value of a log field must not be shown. Header
// fields are keys wherever Caddy logs headers, under whichever parent, and
// `HTTP_X_API_KEY` is how FastCGI spells X-Api-Key.
func (r *redactor) hidesKey(key string) bool {
	if r.hidesHeader(key) {
		return true
	}
	const cgi = "HTTP_"
	return len(key) > len(cgi) && strings.EqualFold(key[:len(cgi)], cgi) && r.hidesHeader(key[len(cgi):])
}

func (r *redactor) hidesHeader(name string) bool {
	return r.own.headers.has(name) || registeredNames().headers.has(name)
}

func (r *redactor) hidesParam(name string) bool {
	return r.own.params.has(name) || registeredNames().params.has(name)
}

// maxNesting bounds how deep URLs inside query parameters are followed.
const maxNesting = 3

// scrub returns text without the values of credential parameters, without the
// user information of URLs, without tokens in the paths of a login and without
// what has the form of a secret made here. It takes
// request targets, Referer and Location values, bare query strings and
// sentences that quote one of them.
func (r *redactor) scrub(text string) string { return r.scrubNested(scrubForms(text), maxNesting) }

func (r *redactor) scrubNested(text string, nesting int) string {
	text = dialect.HideTokens(scrubUserinfo(text), registeredNames().paths...)
	if !strings.ContainsAny(text, "=%") {
		return text
	}
	ends := endsValue
	if text[0] == '/' {
		ends = endsPair
	}
	var out strings.Builder
	for rest := text; rest != ""; {
		n := strings.IndexFunc(rest, ends)
		if n < 0 {
			n = len(rest)
		}
		out.WriteString(r.scrubPart(rest[:n], nesting))
		rest = rest[n:]
		if rest != "" {
			out.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	return out.String()
}

// endsValue reports whether c ends the value of a query parameter. `;`, `#`
// and quotes do so for some readers and not for others, so they do not here.
func endsValue(c rune) bool { return c == '&' || c <= ' ' }

// endsPair is endsValue in a request target, where HTTP/2 lets a space stand.
func endsPair(c rune) bool { return c == '&' }

// scrubPart hides the rest of part from the first `name=` whose name is hidden,
// or everything after the first `=` where part, percent-decoded, holds what
// must be hidden: a parameter like `next` may carry a whole URL.
func (r *redactor) scrubPart(part string, nesting int) string {
	for start := 0; ; {
		n := strings.IndexByte(part[start:], '=')
		if n < 0 {
			break
		}
		at := start + n
		if at+1 < len(part) && r.hidesName(part[start:at]) {
			return part[:at+1] + auth.Redacted
		}
		start = at + 1
	}
	inner := unescape(part)
	if nesting == 0 || !r.hidesMember(inner) && (inner == part || r.scrubNested(inner, nesting-1) == inner) {
		return part
	}
	return part[:strings.IndexByte(part, '=')+1] + auth.Redacted
}

// hidesName reports whether text ends with the name of a hidden parameter, as
// it was configured or with something around it: many servers spell a list
// `token[]` or `token[0]` and a member of a group `user[token]`, and some drop
// quotes, spaces and what follows a NUL.
func (r *redactor) hidesName(text string) bool {
	name := unescape(text)
	if r.hidesParam(behind(name, "?&")) {
		return true
	}
	for word := range strings.FieldsFuncSeq(behind(name, "?&;#/,"), isPunctuation) {
		if r.hidesParam(word) {
			return true
		}
	}
	return false
}

// hidesMember reports whether text holds the JSON member of a hidden name, as
// the parameter `filter` of login_token does.
func (r *redactor) hidesMember(text string) bool {
	for before, rest, found := strings.Cut(text, `"`); found; before, rest, found = strings.Cut(rest, `"`) {
		after := strings.TrimLeft(rest, " \t\r\n")
		if strings.HasPrefix(after, ":") && r.hidesParam(before) {
			return true
		}
	}
	return false
}

// behind returns what follows the last of these characters.
func behind(text, chars string) string { return text[strings.LastIndexAny(text, chars)+1:] }

// isPunctuation reports whether c is no part of a name that nameSet compares.
func isPunctuation(c rune) bool {
	return c < utf8.RuneSelf && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
}

// scrubUserinfo replaces what stands before the `@` of a URL's authority: a
// password or a key sent as a username.
func scrubUserinfo(text string) string {
	const mark = "://"
	if !strings.Contains(text, mark) || !strings.Contains(text, "@") {
		return text
	}
	parts := strings.Split(text, mark)
	for i := 1; i < len(parts); i++ {
		end := strings.IndexFunc(parts[i], func(c rune) bool { return c <= ' ' || strings.ContainsRune(`/?#"`, c) })
		if end < 0 {
			end = len(parts[i])
		}
		if at := strings.LastIndexByte(parts[i][:end], '@'); at >= 0 {
			parts[i] = auth.Redacted + parts[i][at:]
		}
	}
	return strings.Join(parts, mark)
}

// unescape decodes what can be decoded of a query component and leaves the
// rest: what is malformed to one reader may be a name to another.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
