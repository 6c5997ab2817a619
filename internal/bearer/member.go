package bearer

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// member is a member of a JSON object and where it stands in the text: from
// the quote of its name to the end of its value.
type member struct {
	name       string
	value      json.RawMessage
	start, end int
}

// members goes through the members of an object in order, none where text is
// not one whole JSON object.
func members(text []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		if !json.Valid(text) {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		_, _ = dec.Token() // the brace
		for dec.More() {
			m := member{start: int(dec.InputOffset())}
			for strings.IndexByte(" \t\r\n,", text[m.start]) >= 0 {
				m.start++
			}
			name, _ := dec.Token()
			m.name, _ = name.(string)
			_ = dec.Decode(&m.value) // the text is valid
			m.end = int(dec.InputOffset())
			if !yield(m) {
				return
			}
		}
	}
}

// stripBody takes the member out of the body, however often it is there, and
// leaves the rest byte for byte. What [Spec.Read] finds nothing in stays as it
// is, and so does what is too large for it.
func (s *Spec) stripBody(r *http.Request) {
	if !s.StripMember || !hasBody(r) {
		return
	}
	text, err := peekObject(r, bodyLimit(s))
	if err != nil || text == nil {
		return
	}
	object := withoutMark(text)
	if kept := s.withoutMember(object); len(kept) < len(object) {
		setBody(r, slices.Concat(text[:len(text)-len(object)], kept))
	}
}

// withoutMember returns an object without every member of that name. Each that
// stays keeps what stood before it, but for the first, which keeps what stood
// before the first of all.
func (s *Spec) withoutMember(text []byte) []byte {
	out, before, kept := []byte(nil), 0, false
	for m := range members(text) {
		if before == 0 {
			out, before = append(out, text[:m.start]...), m.start
		}
		if !s.isMember(m.name) {
			if kept {
				out = append(out, text[before:m.start]...)
			}
			out, kept = append(out, text[m.start:m.end]...), true
		}
		before = m.end
	}
	return append(out, text[before:]...)
}

// setBody replaces a body that was read to its end, and every word about its
// length. One of unknown length stays so: trailers may have been announced.
func setBody(r *http.Request, text []byte) {
	r.Body = reread{bytes.NewReader(text), r.Body}
	if r.GetBody != nil {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	}
	if r.ContentLength < 0 {
		return
	}
	r.ContentLength = int64(len(text))
	if r.Header["Content-Length"] != nil {
		r.Header["Content-Length"] = []string{strconv.Itoa(len(text))}
	}
}
