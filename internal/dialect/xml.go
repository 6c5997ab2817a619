package dialect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// XMLForm is the flat XML document that one call takes:
//
//	<Root><A>text</A><B>text</B></Root>
//
// Names are exact: XML knows no other way (XML 1.0 section 3, "Start-Tags").
type XMLForm struct {
	// Root is the name of the document's element.
	Root string
	// Text names the children whose text is read.
	Text []string
	// Skipped names the children that are known, and so may stand once at
	// most, but whose content does not matter.
	Skipped []string
	// Charset is the one of the [MediaType]; the declaration inside the
	// document must not contradict it.
	Charset string
}

// Bounds of an XML body, whatever its size in bytes may be. A login needs a
// handful of each; past them a body is after our memory or our time.
const (
	maxXMLDepth      = 16
	maxXMLElements   = 512
	maxXMLAttributes = 128
	// maxXMLTag bounds one tag in bytes: the parser collects all attributes
	// of a tag before it shows any.
	maxXMLTag = 4 << 10
)

// xsi is the namespace of nil and type (XML Schema part 1 section 2.6).
const xsi = "http://www.w3.org/2001/XMLSchema-instance"

// ReadXML reads body as one document of this form and returns the text of the
// children that are there and not xsi:nil, as it stands between their tags.
// Children come in any order and unknown ones are ignored. Namespaces may be
// declared, but the root and the children that the form names are in none.
//
// Everything that two parsers could read differently is refused, as
// [auth.Malformed], with the bad child in [FieldErrors] where there is one:
// any DOCTYPE, CDATA section or processing instruction, entities other than
// the five of XML itself, a comment or element inside text, text beside
// elements, a child twice, xsi:type, prefixes nobody declared, a second root,
// bytes after the root, characters outside XML, encodings other than UTF-8
// and US-ASCII. A byte order mark is accepted, since .NET's writers put one.
func ReadXML(body []byte, form XMLForm) (map[string]string, error) {
	document, encoding, err := xmlDocument(body, form.Charset)
	if err != nil {
		return nil, err
	}
	dec := xml.NewDecoder(bytes.NewReader(document))
	dec.Strict = true
	r := &xmlReader{document: document, dec: dec, form: form, values: map[string]string{}}
	if err := r.root(); err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	// Last, so that a bomb costs what the reader took to meet a bound, and
	// not a pass over all of its bytes.
	if err := checkBytes(body, encoding); err != nil {
		return nil, err
	}
	return r.values, nil
}

// xmlReader walks one document.
type xmlReader struct {
	document []byte
	dec      *xml.Decoder
	form     XMLForm
	values   map[string]string
	// seen names the children of the form that stood already.
	seen                        []string
	depth, elements, attributes int
}

// root reads the root element and all in it.
func (r *xmlReader) root() error {
	start, err := r.start()
	if err != nil {
		return err
	}
	if start.Name != (xml.Name{Local: r.form.Root}) {
		return badXML("another root element")
	}
	null, err := isNil(start)
	if err != nil {
		return err
	}
	if null {
		return badXML("the root element is nil")
	}
	return r.children()
}

// children reads all in the root, and its end tag.
func (r *xmlReader) children() error {
	for {
		token, err := r.elementContent()
		if err != nil {
			return err
		}
		child, ok := token.(xml.StartElement)
		if !ok {
			return nil
		}
		if err := r.child(child); err != nil {
			return err
		}
	}
}

// start returns the start tag of the root.
func (r *xmlReader) start() (xml.StartElement, error) {
	token, err := r.elementContent()
	if err != nil {
		return xml.StartElement{}, err
	}
	start, ok := token.(xml.StartElement)
	if !ok {
		return start, badXML("no root element")
	}
	return start, nil
}

// elementContent returns the next tag where only tags may stand, over white
// space and comments.
func (r *xmlReader) elementContent() (xml.Token, error) {
	for {
		token, err := r.next()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement, xml.EndElement:
			return t, nil
		case xml.CharData:
			if !blank(t) {
				return nil, badXML("text beside elements")
			}
		}
	}
}

// child reads one child of the root, whose start tag was just read.
func (r *xmlReader) child(start xml.StartElement) error {
	name := start.Name.Local
	text := slices.Contains(r.form.Text, name)
	if !text && !slices.Contains(r.form.Skipped, name) {
		return r.skip()
	}
	if start.Name.Space != "" {
		return badField(name, auth.ReasonForm, "must not be in a namespace")
	}
	if slices.Contains(r.seen, name) {
		return badField(name, auth.ReasonDuplicate, "must not stand twice")
	}
	r.seen = append(r.seen, name)
	if !text {
		return r.skip()
	}
	return r.text(start)
}

// text reads the text of a child into values.
func (r *xmlReader) text(start xml.StartElement) error {
	name := start.Name.Local
	null, err := isNil(start)
	if err != nil {
		return err
	}
	value, err := r.onlyText(name)
	if err != nil {
		return err
	}
	if null && value != "" {
		return badField(name, auth.ReasonForm, "must not be nil and have text")
	}
	if !null {
		r.values[name] = value
	}
	return nil
}

// onlyText reads up to the end tag of a child that holds nothing but text.
func (r *xmlReader) onlyText(name string) (string, error) {
	from := r.dec.InputOffset()
	value := ""
	for {
		to := r.dec.InputOffset()
		token, err := r.next()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			value += string(t)
		case xml.EndElement:
			return value, sameRunes(name, value, r.document[from:to])
		default:
			return "", badField(name, auth.ReasonForm, "must hold text only")
		}
	}
}

// skip reads up to the end tag of an element that does not matter. Its content
// is still held to the rules of next.
func (r *xmlReader) skip() error {
	for outside := r.depth - 1; r.depth > outside; {
		if _, err := r.next(); err != nil {
			return err
		}
	}
	return nil
}

// end makes sure that nothing but white space follows the root.
func (r *xmlReader) end() error {
	if !blank(r.document[r.dec.InputOffset():]) {
		return badXML("bytes after the root element")
	}
	return nil
}

// next returns the next token, within the bounds.
func (r *xmlReader) next() (xml.Token, error) {
	if err := allowedMarkup(r.document[r.dec.InputOffset():]); err != nil {
		return nil, err
	}
	token, err := r.dec.Token()
	if errors.Is(err, io.EOF) {
		return nil, badXML("the document ends early")
	}
	if err != nil {
		return nil, auth.Fail(auth.Malformed, auth.ReasonForm, err)
	}
	switch t := token.(type) {
	case xml.StartElement:
		return t, r.open(t)
	case xml.EndElement:
		r.depth--
	}
	return token, nil
}

// open counts an element against the bounds and checks its names.
func (r *xmlReader) open(start xml.StartElement) error {
	r.depth++
	r.elements++
	r.attributes += len(start.Attr)
	if r.depth > maxXMLDepth || r.elements > maxXMLElements || r.attributes > maxXMLAttributes {
		return badXML("too many elements or attributes")
	}
	if !soundName(start.Name) {
		return badXML("an element of a namespace that nobody declared")
	}
	for i, a := range start.Attr {
		if err := soundAttribute(a, start.Attr[:i]); err != nil {
			return err
		}
	}
	return nil
}

// sameRunes refuses text in which a reference to half a surrogate pair became
// U+FFFD: two different values must not read as one.
func sameRunes(name, value string, source []byte) error {
	const replacement = string(utf8.RuneError)
	if strings.Count(value, replacement) != bytes.Count(source, []byte(replacement)) {
		return badField(name, auth.ReasonForm, "must hold whole characters")
	}
	return nil
}

// blank reports whether text is white space of XML (section 2.3).
func blank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }
