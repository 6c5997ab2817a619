package management

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// problem answers a request that cannot be read (RFC 9457), with the members
// that the original's framework adds.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Errors lists by member what is wrong with a body; "$" is the body as a
	// whole. Only a 400 has it.
	Errors map[string][]string `json:"errors,omitempty"`
	// TraceID is a W3C trace context of this answer alone: something that a
	// caller can quote.
	TraceID string `json:"traceId"`
}

// sections are those of RFC 9110 and others that define a status.
var sections = map[int]string{
	http.StatusBadRequest:            "rfc9110#section-15.5.1",
	http.StatusNotFound:              "rfc9110#section-15.5.5",
	http.StatusMethodNotAllowed:      "rfc9110#section-15.5.6",
	http.StatusRequestTimeout:        "rfc9110#section-15.5.9",
	http.StatusRequestEntityTooLarge: "rfc9110#section-15.5.14",
	http.StatusUnsupportedMediaType:  "rfc9110#section-15.5.16",
	http.StatusTooEarly:              "rfc8470#section-5.2",
}

// problem writes p, whose Status and, for a 400, Errors are set.
func (a *api) problem(w http.ResponseWriter, p problem) {
	p.Type = "https://tools.ietf.org/html/" + sections[p.Status]
	p.Title = http.StatusText(p.Status)
	if p.Errors != nil {
		p.Title = "One or more validation errors occurred."
	}
	p.TraceID = a.trace()
	send(w, p.Status, "application/problem+json; charset=utf-8", p)
}

// trace returns a new traceparent (W3C Trace Context section 3.2), not sampled.
func (a *api) trace() string {
	var ids [24]byte
	a.random(ids[:])
	return "00-" + hex.EncodeToString(ids[:16]) + "-" + hex.EncodeToString(ids[16:]) + "-00"
}

// wrong lists what err says is wrong with a request. None of the texts holds
// anything that the client sent.
func wrong(err error) map[string][]string {
	if fields, ok := errors.AsType[dialect.FieldErrors](err); ok {
		list := make(map[string][]string, len(fields))
		for _, f := range fields {
			list[f.Field] = append(list[f.Field], fmt.Sprintf("The %s field %s.", f.Field, f.Problem))
		}
		return list
	}
	if syntax, ok := errors.AsType[*dialect.SyntaxError](err); ok {
		return map[string][]string{"$": {fmt.Sprintf("The body is not the JSON that is wanted: %s, at byte %d.", syntax.Problem, syntax.Offset)}}
	}
	return map[string][]string{"$": {"The request cannot be read."}}
}
