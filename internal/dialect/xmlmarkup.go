package dialect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// allowedMarkup refuses, before the parser sees it, markup that no login needs
// and that parsers are attacked with: `<!DOCTYPE`, `<![CDATA[`, `<?`, and
// endless tags.
func allowedMarkup(rest []byte) error {
	switch {
	case !bytes.HasPrefix(rest, []byte("<")), bytes.HasPrefix(rest, []byte("<!--")):
		return nil
	case bytes.HasPrefix(rest, []byte("<!")):
		return badXML("a document type or a cdata section")
	case bytes.HasPrefix(rest, []byte("<?")):
		return badXML("a processing instruction")
	case !tagEnds(rest[:min(len(rest), maxXMLTag)]):
		return badXML("an endless tag")
	}
	return nil
}

// tagEnds reports whether the tag at the start of text ends within it. A `>`
// inside quotes does not end a tag.
func tagEnds(text []byte) bool {
	var quote byte
	for _, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return true
		}
	}
	return false
}

// soundName reports whether a name means the same to every parser. Go leaves
// the prefix in place of a namespace that was never declared; a namespace is
// an absolute URI and has a colon, which a prefix cannot have. (Relative ones
// are deprecated, Namespaces in XML 1.0 section 2.1.)
func soundName(n xml.Name) bool {
	if strings.Contains(n.Local, ":") {
		return false
	}
	return n.Space == "" || strings.Contains(n.Space, ":")
}

// soundAttribute checks one attribute, given those before it in its tag.
func soundAttribute(a xml.Attr, before []xml.Attr) error {
	declares := a.Name.Space == "xmlns"
	switch {
	case slices.ContainsFunc(before, func(b xml.Attr) bool { return b.Name == a.Name }):
		// Not well-formed (XML 1.0 section 3.1), which Go does not check.
		return badXML("an attribute twice in one tag")
	case declares && a.Value == "":
		// Would put a prefixed name into no namespace (Namespaces in XML 1.0
		// section 5, "No Prefix Undeclaring").
		return badXML("a prefix without a namespace")
	case !declares && !soundName(a.Name):
		return badXML("an attribute of a namespace that nobody declared")
	case a.Name == xml.Name{Space: xsi, Local: "type"}:
		return badXML("xsi:type")
	}
	return nil
}

// isNil reports whether an element is xsi:nil (XML Schema part 1 section
// 2.6.2), whose value is a boolean of part 2.
func isNil(start xml.StartElement) (bool, error) {
	for _, a := range start.Attr {
		if a.Name != (xml.Name{Space: xsi, Local: "nil"}) {
			continue
		}
		switch strings.Trim(a.Value, " \t\r\n") {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
		return false, badField(start.Name.Local, auth.ReasonForm, "must be nil or not")
	}
	return false, nil
}

func badXML(problem string) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, errors.New("xml: "+problem))
}

// badField refuses one child; problem completes a sentence that begins with
// its name.
func badField(name string, reason auth.Reason, problem string) error {
	return auth.Fail(auth.Malformed, reason, FieldErrors{{Field: name, Problem: problem}})
}
