package logintoken

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// record is a login token as the wire shows it, with the members that were
// asked for.
type record struct {
	session.LoginToken
	fields []string
}

// MarshalJSON writes the members in the order of the API's page. An associate
// that is none is null.
func (r record) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	for _, m := range members {
		if r.fields != nil && !slices.Contains(r.fields, m.name) {
			continue
		}
		text, err := json.Marshal(r.value(m))
		if err != nil {
			return nil, err
		}
		if out.Len() > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`"` + m.name + `":`)
		out.Write(text)
	}
	return slices.Concat([]byte("{"), out.Bytes(), []byte("}")), nil
}

func (r record) value(m member) any {
	switch m.field {
	case session.FieldID:
		return r.ID
	case session.FieldDigest:
		return r.Token.Reveal()
	case session.FieldIdentity:
		return r.Identity
	case session.FieldExpires:
		return date(r.Expires)
	case session.FieldIssued:
		return date(r.Created)
	case session.FieldUpdated:
		return date(r.Updated)
	}
	if r.Associate == "" {
		return nil
	}
	return r.Associate
}

// show returns login tokens as records; none is an empty array.
func (q query) show(tokens []session.LoginToken) []record {
	list := make([]record, len(tokens))
	for i, t := range tokens {
		list[i] = record{t, q.fields}
	}
	return list
}

// list is a page of records.
type list struct {
	// Total is how many there are in all.
	Total int      `json:"total"`
	Limit int      `json:"limit"`
	Skip  int      `json:"skip"`
	Data  []record `json:"data"`
}
