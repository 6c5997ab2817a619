package bearer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// defaultMaxBody bounds what is read of a body where nothing is configured.
const defaultMaxBody = 64 << 10

// readBody returns the member of a JSON object in the body, whatever the
// content type says: clients in the field misspell it. Content that is not
// one whole JSON object holds no credential, and neither does null; a member
// of another type is malformed.
func (s *Spec) readBody(r *http.Request) (string, error) {
	if !hasBody(r) {
		return "", nil
	}
	text, err := peekObject(r, bodyLimit(s))
	if err != nil || text == nil {
		return "", err
	}
	value, err := s.member(withoutMark(text))
	if err != nil || value == nil || value[0] == 'n' {
		return "", err
	}
	var token string
	if json.Unmarshal(value, &token) != nil {
		return "", malformed(auth.ReasonForm)
	}
	return token, nil
}

func bodyLimit(s *Spec) int64 {
	if s.MaxBody > 0 {
		return s.MaxBody
	}
	return defaultMaxBody
}

func hasBody(r *http.Request) bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Body != nil && r.Body != http.NoBody
	}
	return false
}

// peekObject returns the body where it begins as an object does, nil where it
// does not, and leaves the request with a body that reads the same. An upload
// of another kind is so neither held in memory nor refused for its size.
func peekObject(r *http.Request, limit int64) ([]byte, error) {
	body, text := r.Body, make([]byte, 0, 512)
	defer func() { r.Body = reread{io.MultiReader(bytes.NewReader(text), body), body} }()
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		room := min(int64(cap(text)), limit+1)
		n, err := body.Read(text[len(text):room])
		text = text[:len(text)+n]
		if !beginsObject(text) {
			return nil, nil
		}
		if int64(len(text)) > limit {
			return nil, malformed(auth.ReasonTooLarge)
		}
		if err == io.EOF {
			return text, nil
		}
		if err != nil {
			return nil, auth.Fail(auth.Malformed, unread(err), err)
		}
	}
}

// unread says why a body ended early: the client broke off, or was too slow
// for whoever set a deadline.
func unread(err error) auth.Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return auth.ReasonTimeout
	}
	return auth.ReasonForm
}

// byteOrderMark is what some writers of UTF-8 begin with, .NET's StreamWriter
// where it was told the encoding: a reader of JSON may pass over it (RFC 8259
// section 8.1).
var byteOrderMark = []byte("\ufeff")

func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, byteOrderMark) }

// beginsObject reports whether text is how an object begins, or too short to
// tell.
func beginsObject(text []byte) bool {
	if len(text) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, text) {
		return true
	}
	start := bytes.TrimLeft(withoutMark(text), " \t\r\n")
	return len(start) == 0 || start[0] == '{'
}

// reread is a body whose beginning was read already.
type reread struct {
	io.Reader
	io.Closer
}

// member returns the value of the member, nil where it is absent or text is
// not one JSON object. [json.Unmarshal] would let the last of two win.
func (s *Spec) member(text []byte) (value json.RawMessage, err error) {
	for m := range members(text) {
		if !s.isMember(m.name) {
			continue
		}
		if value != nil {
			return nil, malformed(auth.ReasonDuplicate)
		}
		value = m.value
	}
	return value, nil
}

func (s *Spec) isMember(name string) bool {
	return name == s.Name || s.FoldName && len(name) == len(s.Name) && lowerASCII(name) == lowerASCII(s.Name)
}

func lowerASCII(text string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x80 {
			return rune(lower(byte(c)))
		}
		return c
	}, text)
}
