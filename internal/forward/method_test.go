package forward_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/forward"
)

func TestMethod(t *testing.T) {
	for name, c := range map[string]struct {
		methods string
		extra   []string
		want    bool
	}{
		"the usual ones are forwarded":          {"GET HEAD POST PUT PATCH DELETE OPTIONS", nil, true},
		"those that echo or tunnel are not":     {"TRACE TRACK CONNECT", nil, false},
		"not even where they are configured":    {"TRACE TRACK CONNECT", []string{"TRACE", "TRACK", "CONNECT"}, false},
		"unknown ones are not":                  {"PROPFIND POUET VERSION-CONTROL GETS G", nil, false},
		"configured ones are":                   {"PROPFIND VERSION-CONTROL", []string{"PROPFIND", "VERSION-CONTROL"}, true},
		"a configured one is no other":          {"PROPPATCH propfind Propfind", []string{"PROPFIND"}, false},
		"other cases of the usual ones are not": {"get Get gET delete", nil, false},
		"not even where they are listed":        {"get propfind", []string{"get", "propfind"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for m := range strings.FieldsSeq(c.methods) {
				if got := forward.Method(m, c.extra); got != c.want {
					t.Errorf("%s: %v", m, got)
				}
			}
		})
	}
	if forward.Method("", nil) || forward.Method("", []string{""}) {
		t.Error("no method at all is forwarded")
	}
}

func TestCheckMethodSaysWhy(t *testing.T) {
	for m, why := range map[string]string{"TRACE": "credential", "CONNECT": "tunnel", "get": "upper-case", "": "a name", "A B": "upper-case"} {
		if err := forward.CheckMethod(m); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", m, err)
		}
	}
	if err := forward.CheckMethod("M-SEARCH"); err != nil {
		t.Error(err)
	}
}

func TestCheckName(t *testing.T) {
	credentials := []string{"X-Api-Key"}
	for name, why := range map[string]string{
		"X-User": "", "X-Forwarded-User": "", "X-Auth-Email": "", "Remote-User": "",
		"": "no name", "X User": "no name", "-X": "no name", "X-Usér": "no name", "X:Y": "no name",
		"x_api_key": "credential is read", "Authorization": "credential is read",
		"Connection": "meaning of its own", "Cookie": "meaning of its own", "X-Forwarded-Host": "meaning of its own",
		"X-HTTP-Method": "meaning of its own", "Content-Length": "meaning of its own",
	} {
		err := forward.CheckName(name, credentials)
		if (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", name, err, why)
		}
	}
}
