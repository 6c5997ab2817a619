package bearer_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		spec bearer.Spec
		why  string // "" is fine
	}{
		"a Bearer is fine":                          {bearer.Spec{Kind: auth.Bearer}, ""},
		"a key in the default header is fine":       {bearer.Spec{Kind: auth.APIKey}, ""},
		"a key in a header of one's own is fine":    {bearer.Spec{Kind: auth.APIKey, Name: "x-acme-key"}, ""},
		"a named parameter is fine":                 {bearer.Spec{Kind: auth.Query, Name: "Token"}, ""},
		"a named member is fine":                    {bearer.Spec{Kind: auth.Body, Name: "token"}, ""},
		"a Bearer has no name":                      {bearer.Spec{Kind: auth.Bearer, Name: "x"}, "takes no name"},
		"a parameter needs a name":                  {bearer.Spec{Kind: auth.Query}, "needs a name"},
		"a member needs a name":                     {bearer.Spec{Kind: auth.Body}, "needs a name"},
		"a name has no controls":                    {bearer.Spec{Kind: auth.Query, Name: "a\nb"}, "needs a name"},
		"a name is UTF-8":                           {bearer.Spec{Kind: auth.Body, Name: "a\xff"}, "needs a name"},
		"a name has an end":                         {bearer.Spec{Kind: auth.Body, Name: strings.Repeat("a", 129)}, "needs a name"},
		"a header has no space":                     {bearer.Spec{Kind: auth.APIKey, Name: "x key"}, "no name of a header"},
		"a header is ASCII":                         {bearer.Spec{Kind: auth.APIKey, Name: "x-kéy"}, "no name of a header"},
		"Authorization is taken":                    {bearer.Spec{Kind: auth.APIKey, Name: "authorization"}, "read by bearer"},
		"Connection is taken":                       {bearer.Spec{Kind: auth.APIKey, Name: "connection"}, "hop-by-hop"},
		"an identity field would be removed unread": {bearer.Spec{Kind: auth.APIKey, Name: "X-Auth-Token"}, "removed"},
		"so would another spelling of one":          {bearer.Spec{Kind: auth.APIKey, Name: "x_auth.token"}, "removed"},
		"a lenient Bearer is fine":                  {bearer.Spec{Kind: auth.Bearer, Lenient: true, Keys: true}, ""},
		"a member can be taken out":                 {bearer.Spec{Kind: auth.Body, Name: "t", StripMember: true}, ""},
		"no key is read leniently":                  {bearer.Spec{Kind: auth.APIKey, Lenient: true}, "one form"},
		"no parameter is a key":                     {bearer.Spec{Kind: auth.Query, Name: "t", Keys: true}, "one form"},
		"a parameter is no member":                  {bearer.Spec{Kind: auth.Query, Name: "t", StripMember: true}, "no member"},
		"an unknown kind is none":                   {bearer.Spec{Kind: "cookie"}, "no kind"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.spec.Check()
			if (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, want %q", err, c.why)
			}
		})
	}
}

func TestSameSource(t *testing.T) {
	a := bearer.Spec{Kind: auth.APIKey}
	if !a.SameSource(bearer.Spec{Kind: auth.APIKey, Name: bearer.DefaultKeyHeader}) {
		t.Error("the default header is another than the default header")
	}
	if a.SameSource(bearer.Spec{Kind: auth.APIKey, Name: "x-other"}) || a.SameSource(bearer.Spec{Kind: auth.Bearer}) {
		t.Error("another source is the same")
	}
	if !(bearer.Spec{Kind: auth.Query, Name: "Token"}).SameSource(bearer.Spec{Kind: auth.Query, Name: "token"}) {
		t.Error("two spellings are two sources")
	}
}

func TestChallenge(t *testing.T) {
	for name, c := range map[string]struct {
		code        auth.Code
		realm, want string
	}{
		"no credential is a bare challenge":    {auth.NoCredential, "", "Bearer"},
		"the realm is named":                   {auth.NoCredential, "default", `Bearer realm="default"`},
		"a bad credential says so":             {auth.InvalidCredential, "default", `Bearer realm="default", error="invalid_token"`},
		"without a realm it says only that":    {auth.InvalidCredential, "", `Bearer error="invalid_token"`},
		"too little says so":                   {auth.InsufficientScope, "", `Bearer error="insufficient_scope"`},
		"malformed says so":                    {auth.Malformed, "", `Bearer error="invalid_request"`},
		"quotes do not end the realm":          {auth.NoCredential, `a", error="x\`, `Bearer realm="a\", error=\"x\\"`},
		"line breaks do not end the field":     {auth.NoCredential, "a\r\nX: y", `Bearer realm="a%0D%0AX: y"`},
		"letters of other scripts are encoded": {auth.NoCredential, "é", `Bearer realm="%C3%A9"`},
		"a fault of ours is no challenge":      {auth.Internal, "default", ""},
		"a store out of reach is no challenge": {auth.Unavailable, "default", ""},
		"too many requests are no challenge":   {auth.Throttled, "default", ""},
		"a conflict is no challenge":           {auth.Conflict, "default", ""},
		"something missing is not a challenge": {auth.NotFound, "default", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bearer.Challenge(c.code, c.realm); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
