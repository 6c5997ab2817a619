package dialect

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// xmlDeclaration is production 23 of XML 1.0. Go's own reading of it misses an
// encoding with a space before its `=`.
var xmlDeclaration = regexp.MustCompile(
	`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')` +
		`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][A-Za-z0-9._-]*)"|'([A-Za-z][A-Za-z0-9._-]*)'))?` +
		`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"yes"|"no"|'yes'|'no'))?` +
		`[ \t\r\n]*\?>`)

// maxXMLDeclaration bounds the declaration in bytes.
const maxXMLDeclaration = 256

// xmlDocument returns body without byte order mark and declaration, and the
// encoding of body: "utf-8" or "us-ascii", as the declaration or charset says.
func xmlDocument(body []byte, charset string) (document []byte, encoding string, err error) {
	document, declared, err := cutDeclaration(bytes.TrimPrefix(body, []byte("\ufeff")))
	if err != nil {
		return nil, "", err
	}
	if declared != "" && charset != "" && declared != charset {
		return nil, "", badXML("another encoding than the content type says")
	}
	encoding = cmp.Or(declared, charset, "utf-8")
	if encoding != "utf-8" && encoding != "us-ascii" {
		return nil, "", badXML("an encoding that nobody reads")
	}
	return document, encoding, nil
}

// checkBytes makes sure that body is text in encoding throughout, comments and
// ignored elements included, which the parser does not.
func checkBytes(body []byte, encoding string) error {
	if !utf8.Valid(body) || slices.ContainsFunc(body, isControl) {
		return badXML("bytes that are not text in UTF-8")
	}
	if encoding == "us-ascii" && slices.ContainsFunc(body, isHigh) {
		return badXML("bytes that are not us-ascii")
	}
	return nil
}

// cutDeclaration returns what follows the XML declaration, if there is one,
// and the encoding that it names, in lower case.
func cutDeclaration(document []byte) (rest []byte, encoding string, err error) {
	if !bytes.HasPrefix(document, []byte("<?xml")) {
		return document, "", nil
	}
	m := xmlDeclaration.FindSubmatch(document[:min(len(document), maxXMLDeclaration)])
	if m == nil {
		return nil, "", badXML("a processing instruction, or a declaration that is none")
	}
	return document[len(m[0]):], strings.ToLower(string(m[1]) + string(m[2])), nil
}

// isControl reports whether c is a control character that XML 1.0 lacks
// (production 2). The parser refuses those in text and not elsewhere.
func isControl(c byte) bool { return c < ' ' && c != '\t' && c != '\r' && c != '\n' }

func isHigh(c byte) bool { return c >= utf8.RuneSelf }
