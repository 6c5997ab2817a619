package dialect

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func TestContentType(t *testing.T) {
	tests := []struct {
		name   string
		fields []string
		want   MediaType
		reason auth.Reason
	}{
		{"no field is no type", nil, MediaType{}, ""},
		{"case does not matter", []string{"Application/JSON"}, MediaType{"application/json", ""}, ""},
		{"a charset is told", []string{`text/xml; Charset="UTF-8"`}, MediaType{"text/xml", "utf-8"}, ""},
		{"US-ASCII is a part of UTF-8", []string{"text/json;charset=us-ascii"}, MediaType{"text/json", "us-ascii"}, ""},
		{"other parameters are ignored", []string{"application/json; x=y"}, MediaType{"application/json", ""}, ""},
		{"a structured suffix stays", []string{"application/json-patch+json"}, MediaType{"application/json-patch+json", ""}, ""},
		{"UTF-7 is not read", []string{"application/json; charset=utf-7"}, MediaType{}, auth.ReasonMediaType},
		{"UTF-16 is not read", []string{"application/xml; charset=UTF-16"}, MediaType{}, auth.ReasonMediaType},
		{"an extended charset parameter is not read either", []string{"application/json; charset*=us-ascii''utf-7"}, MediaType{}, auth.ReasonMediaType},
		{"an empty charset is none", []string{`application/json; charset=""`}, MediaType{}, auth.ReasonMediaType},
		{"two charsets are none", []string{"application/json; charset=utf-8; charset=utf-7"}, MediaType{}, auth.ReasonMediaType},
		{"an empty field is no type", []string{""}, MediaType{}, auth.ReasonMediaType},
		{"a type without subtype is none", []string{"json"}, MediaType{}, auth.ReasonMediaType},
		{"a list is no type", []string{"application/json, text/xml"}, MediaType{}, auth.ReasonMediaType},
		{"two fields are malformed", []string{"application/json", "application/json"}, MediaType{}, auth.ReasonDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ContentType(http.Header{"Content-Type": tt.fields})
			if got != tt.want {
				t.Errorf("ContentType = %v, want %v", got, tt.want)
			}
			checkReason(t, err, tt.reason)
		})
	}
}

func TestContentCodingsAreNotUnpacked(t *testing.T) {
	for coding, reason := range map[string]auth.Reason{"gzip": auth.ReasonMediaType, "Identity": ""} {
		_, err := ContentType(http.Header{"Content-Type": {"text/json"}, "Content-Encoding": {coding}})
		checkReason(t, err, reason)
	}
	_, err := ContentType(http.Header{"Content-Encoding": {"identity", "gzip"}})
	checkReason(t, err, auth.ReasonMediaType)
}

// checkReason fails unless err is malformed for this reason, or nil for "".
func checkReason(t *testing.T, err error, reason auth.Reason) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	if e := auth.AsError(err); e == nil || e.Code != auth.Malformed || e.Reason != reason {
		t.Errorf("error %v, want malformed: %s", err, reason)
	}
}
