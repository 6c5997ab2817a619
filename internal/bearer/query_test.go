package bearer_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestReadQuery(t *testing.T) {
	got := func(text string) want { return token(auth.Query, text) }
	runReads(t, bearer.Spec{Kind: auth.Query, Name: "token"}, map[string]readCase{
		"no query is no credential":                 {withQuery(""), absent()},
		"no such parameter is no credential":        {withQuery("a=1&xtoken=2&tokenx=3&token2"), absent()},
		"an empty value is no credential":           {withQuery("token=&a=1"), absent()},
		"a bare name is no credential":              {withQuery("token"), absent()},
		"the value is read":                         {withQuery("a=1&token=abc&b=2"), got("abc")},
		"an equals sign belongs to the value":       {withQuery("token=YWI=="), got("YWI==")},
		"escapes in the value are decoded":          {withQuery("token=a%2Bb%26c+d"), got("a+b&c d")},
		"escapes in the name are decoded":           {withQuery("t%6Fken=abc"), got("abc")},
		"another case is another name":              {withQuery("Token=abc"), absent()},
		"a semicolon separates nothing":             {withQuery("a=1;token=abc"), absent()},
		"a semicolon belongs to the value":          {withQuery("token=abc;b=2"), got("abc;b=2")},
		"a broken escape in the value is malformed": {withQuery("token=a%zz"), malformed(auth.ReasonForm)},
		"half an escape in the value is malformed":  {withQuery("token=a%4"), malformed(auth.ReasonForm)},
		"a broken escape elsewhere is not ours":     {withQuery("100%=1&a=%zz&token=abc"), got("abc")},
		"a name with a broken escape is another":    {withQuery("token%=1&%6token=2&tok%zen=3"), absent()},
		"two values are malformed":                  {withQuery("token=a&token=b"), malformed(auth.ReasonDuplicate)},
		"the same value twice is malformed":         {withQuery("token=a&b=1&token=a"), malformed(auth.ReasonDuplicate)},
		"an empty second value is malformed":        {withQuery("token=a&token"), malformed(auth.ReasonDuplicate)},
		"a second value by escapes is malformed":    {withQuery("token=a&%74oken=b"), malformed(auth.ReasonDuplicate)},
		"a value that is too long is no token":      {withQuery("token=" + strings.Repeat("a", bearer.MaxValue+1)), invalid(auth.ReasonTooLarge)},
		"an escaped one that is too long neither":   {withQuery("token=" + strings.Repeat("%61", bearer.MaxValue+1)), invalid(auth.ReasonTooLarge)},
		"a value is measured when it is decoded":    {withQuery("token=" + strings.Repeat("%61", bearer.MaxValue)), got(strings.Repeat("a", bearer.MaxValue))},
	})
	runReads(t, bearer.Spec{Kind: auth.Query, Name: "Token", FoldName: true}, map[string]readCase{
		"any case is read":                 {withQuery("tOKEN=abc"), got("abc")},
		"any case by escapes is read":      {withQuery("%54oke%4e=abc"), got("abc")},
		"two spellings are malformed":      {withQuery("Token=a&token=b"), malformed(auth.ReasonDuplicate)},
		"only ASCII letters fold":          {withQuery("to\u212Aen=a"), absent()},
		"nothing but letters fold":         {withQuery("tok%05n=a"), absent()},
		"a longer name is still another":   {withQuery("tokens=a"), absent()},
		"an empty parameter is not a name": {withQuery("&&=x&"), absent()},
	})
}

func TestReadBringsATokenIntoItsForm(t *testing.T) {
	guid := func(text string) (string, bool) { return strings.ToLower(text), len(text) == 4 }
	runReads(t, bearer.Spec{Kind: auth.Query, Name: "t", Form: guid}, map[string]readCase{
		"the canonical form is handed on":  {withQuery("t=ABcd"), token(auth.Query, "abcd")},
		"another form is malformed":        {withQuery("t=abcde"), malformed(auth.ReasonForm)},
		"an empty value is no credential":  {withQuery("t="), absent()},
		"too long comes before any form":   {withQuery("t=" + strings.Repeat("a", bearer.MaxValue+1)), invalid(auth.ReasonTooLarge)},
		"two values come before any form":  {withQuery("t=abcd&t=abcd"), malformed(auth.ReasonDuplicate)},
		"a form that gives nothing is one": {withQuery("t=%20"), malformed(auth.ReasonForm)},
	})
	runReads(t, bearer.Spec{Kind: auth.KeyUserToken, Form: guid}, map[string]readCase{
		"the token of three is in its form": {
			request("apikey: K", "userid: U", "token: ABCD"),
			want{c: bearer.Credential{Kind: auth.KeyUserToken, Key: "K", User: "U", Token: "abcd"}},
		},
		"the token of three in no form is malformed": {request("apikey: K", "userid: U", "token: ABC"), malformed(auth.ReasonForm)},
	})
}

func TestStripQueryLeavesTheOthersAsTheyWere(t *testing.T) {
	for name, c := range map[string]struct{ query, want string }{
		"none is there":             {"a=%zz&&b;c=d+e&", "a=%zz&&b;c=d+e&"},
		"it is alone":               {"Token=abc", ""},
		"it is first":               {"Token=abc&a=1&b=%20", "a=1&b=%20"},
		"it is last":                {"a=1&b=%2f&TOKEN=abc", "a=1&b=%2f"},
		"it is in the middle":       {"a=1&token=abc&b=2", "a=1&b=2"},
		"it is there twice":         {"token=a&x=&Token=b&y", "x=&y"},
		"it is escaped":             {"t%6fken=a&x", "x"},
		"it has no value":           {"x&token&y", "x&y"},
		"empty parameters stay":     {"&token=a&&x&", "&&x&"},
		"a semicolon goes along":    {"token=a;b=c&x=1", "x=1"},
		"other spaces stay as is":   {"a=b+c&token=1&d=e%20f", "a=b+c&d=e%20f"},
		"a broken name is not ours": {"token%=1&token=2", "token%=1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := withQuery(c.query)
			bearer.Spec{Kind: auth.Query, Name: "token", FoldName: true}.Strip(r)
			if r.URL.RawQuery != c.want {
				t.Errorf("query is %q, want %q", r.URL.RawQuery, c.want)
			}
			if uri := strings.TrimSuffix("/x?"+c.want, "?"); c.query != c.want && r.RequestURI != uri {
				t.Errorf("target is %q, want %q", r.RequestURI, uri)
			}
		})
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "token=a", "a&token=a&b=%zz", "Token=a&token=b", "t%6Fken=x%2B", "a;token=b", "token=%", "&=&"} {
		f.Add(q, true)
		f.Add(q, false)
	}
	f.Fuzz(func(t *testing.T, query string, fold bool) {
		s := bearer.Spec{Kind: auth.Query, Name: "token", FoldName: fold}
		r := withQuery(query)
		checkReading(t, s, r)
		if r.URL.RawQuery != query {
			t.Fatalf("reading changed %q to %q", query, r.URL.RawQuery)
		}
		s.Strip(r)
		checkOthersStay(t, query, r.URL.RawQuery)
	})
}

// checkOthersStay reports any parameter that is gone though it is not ours, or
// new, or in another place.
func checkOthersStay(t *testing.T, before, after string) {
	t.Helper()
	left := strings.Split(after, "&")
	for part := range strings.SplitSeq(before, "&") {
		if len(left) > 0 && left[0] == part {
			left = left[1:]
			continue
		}
		name, _, _ := strings.Cut(part, "=")
		if plain := strings.ToLower(name); !strings.Contains(name, "%") && plain != "token" {
			t.Fatalf("%q lost %q: %q", before, part, after)
		}
	}
	if len(left) > 0 && after != "" {
		t.Fatalf("%q gained %q: %q", before, left, after)
	}
}
