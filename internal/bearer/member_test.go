package bearer_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestStripMember(t *testing.T) {
	pad := strings.Repeat("x", 300)
	for name, c := range map[string]struct{ body, want string }{
		"the only one":              {` {"token":"a"} `, ` {} `},
		"the only one, in space":    {"{\n  \"token\" : \"a\"\n}", "{\n  \n}"},
		"the first":                 {`{ "token":"a" , "b":1.0e5,"c":"\u00e9"}`, `{ "b":1.0e5,"c":"\u00e9"}`},
		"the last":                  {`{"b":1 , "token":"a" }`, `{"b":1 }`},
		"one between":               {`{"b":1, "token":"a" ,"c":2}`, `{"b":1 ,"c":2}`},
		"more than one":             {`{"token":1,"b":1,"token":null,"c":[2],"token":"a"}`, `{"b":1,"c":[2]}`},
		"nothing but":               {`{"token":1,"token":2}`, `{}`},
		"one under another name":    {`{"b":1,"t\u006fken":"a"}`, `{"b":1}`},
		"one that is no text":       {`{"token":{"a":[1,"}"]},"b":"{"}`, `{"b":"{"}`},
		"a member further down":     {`{"a":{"token":"b"}}`, `{"a":{"token":"b"}}`},
		"another case":              {`{"Token":"a"}`, `{"Token":"a"}`},
		"no member":                 {`{"b":1}`, `{"b":1}`},
		"no members":                {`{ }`, `{ }`},
		"nothing":                   {``, ``},
		"an array":                  {`[{"token":"a"}]`, `[{"token":"a"}]`},
		"half an object":            {`{"token":"a"`, `{"token":"a"`},
		"an object and more":        {`{"token":"a"}{}`, `{"token":"a"}{}`},
		"a form":                    {`token=a`, `token=a`},
		"one behind a mark":         {"\ufeff" + ` {"token":"a","b":1}`, "\ufeff" + ` {"b":1}`},
		"none behind a mark":        {"\ufeff" + `{"b":1}`, "\ufeff" + `{"b":1}`},
		"an object past the bound":  {`{"token":"a","b":"` + pad + `"}`, `{"token":"a","b":"` + pad + `"}`},
		"an upload past the bound":  {pad, pad},
		"an object up to the bound": {`{"token":"a"}` + pad[:87], `{}` + pad[:87]},
	} {
		body, want := strings.ReplaceAll(c.body, "x", " "), strings.ReplaceAll(c.want, "x", " ")
		t.Run(name, func(t *testing.T) {
			r := withBody(http.MethodPost, body)
			original := &closing{Reader: strings.NewReader(body)}
			r.Body, r.ContentLength = original, int64(len(body))
			r.Header.Set("Content-Length", "old")
			r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
			spec := bearer.Spec{Kind: auth.Body, Name: "token", MaxBody: 100, StripMember: true}
			spec.Strip(r)
			checkBody(t, r, want)
			if changed := r.Header.Get("Content-Length") != "old"; changed != (want != body) {
				t.Errorf("the announced length became %q", r.Header.Get("Content-Length"))
			}
			if _ = r.Body.Close(); !original.closed {
				t.Error("closing does not reach the connection")
			}
		})
	}
}

// checkBody reads a body and holds all that is said of it against what it is.
func checkBody(t *testing.T, r *http.Request, want string) {
	t.Helper()
	again, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []io.Reader{r.Body, again} {
		if got, err := io.ReadAll(b); err != nil || string(got) != want {
			t.Errorf("the upstream gets %q and %v, want %q", got, err, want)
		}
	}
	if r.ContentLength != int64(len(want)) {
		t.Errorf("its length is %d, of %d bytes", r.ContentLength, len(want))
	}
}

func TestStripMemberLeavesAnUnknownLengthUnknown(t *testing.T) {
	r := withBody(http.MethodPost, `{"token":"a","b":1}`)
	r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	bearer.Spec{Kind: auth.Body, Name: "token", StripMember: true}.Strip(r)
	if got, _ := io.ReadAll(r.Body); string(got) != `{"b":1}` || r.ContentLength != -1 || r.Header["Content-Length"] != nil || r.GetBody != nil {
		t.Errorf("%q of length %d, %v", got, r.ContentLength, r.Header)
	}
}

// TestStripMemberWhateverElseWasPresented: a chain reads no body beside another
// credential, and one that nobody verified does not go upstream either.
func TestStripMemberWhateverElseWasPresented(t *testing.T) {
	chain := bearer.NewChain([]bearer.Spec{
		{Kind: auth.Bearer}, {Kind: auth.Body, Name: "token"}, {Kind: auth.Body, Name: "Token", StripMember: true},
	}, nil)
	r := withBody(http.MethodPost, `{"TOKEN":"b","c":1}`)
	r.Header.Set("Authorization", "Bearer a")
	if got := kinds(chain.Read(r)); got != "bearer=a" {
		t.Errorf("got %q", got)
	}
	chain.Strip(r)
	if got, _ := io.ReadAll(r.Body); string(got) != `{"c":1}` {
		t.Errorf("the upstream gets %q", got)
	}
}

func TestABodyIsStrippedOnlyWhereThatIsSaid(t *testing.T) {
	r := withBody(http.MethodPost, `{"token":"a"}`)
	bearer.Spec{Kind: auth.Body, Name: "token"}.Strip(r)
	if got, _ := io.ReadAll(r.Body); string(got) != `{"token":"a"}` {
		t.Errorf("the upstream gets %q", got)
	}
	broken := broken(`{"token":"a"`)
	bearer.Spec{Kind: auth.Body, Name: "token", StripMember: true}.Strip(broken)
	if got, err := io.ReadAll(broken.Body); string(got) != `{"token":"a"` || err == nil {
		t.Errorf("the upstream gets %q and %v of a body that broke off", got, err)
	}
}

// ordered are the members of an object in order, as another decoder sees them.
func ordered(t *testing.T, text []byte) (list [][2]string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, [2]string{name.(string), string(v)})
	}
	return list
}

func FuzzStripMember(f *testing.F) {
	for _, b := range []string{
		`{"token":"a"}`, `{"token":"a","token":"b"}`, `{`, `[]`, `{"b":1 , "token":null }`, `{"t\u006fken":1,"c":{}}`, " {}x", "\ufeff{\"token\":1}",
		"{\"a\" :\t[{}] ,\n\"token\":1}", "{\"tok\xffen\":1,\"token\":\"\xff\"}",
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s := bearer.Spec{Kind: auth.Body, Name: "token", StripMember: true, MaxBody: 500}
		r := withBody(http.MethodPost, "-")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		_, present, readErr := s.Read(r)
		s.Strip(r)
		got, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength != int64(len(got)) {
			t.Fatalf("%d bytes of %d, %v", len(got), r.ContentLength, err)
		}
		if present && string(got) == body {
			t.Fatalf("%q kept its member", body)
		}
		r.Body = io.NopCloser(bytes.NewReader(got))
		if _, present, err := s.Read(r); present || err != nil && auth.AsError(err).Reason != auth.ReasonTooLarge {
			t.Fatalf("%q became %q, which still holds it", body, got)
		}
		if string(got) == body {
			return
		}
		mark := []byte("\ufeff") // stays where it was
		if bytes.HasPrefix(got, mark) != strings.HasPrefix(body, string(mark)) {
			t.Fatalf("%q became %q", body, got)
		}
		whole := bytes.TrimPrefix([]byte(body), mark)
		got = bytes.TrimPrefix(got, mark)
		if auth.AsError(readErr) != nil && auth.AsError(readErr).Reason == auth.ReasonTooLarge || !json.Valid(got) {
			t.Fatalf("%q became %q", body, got)
		}
		var want [][2]string
		for _, m := range ordered(t, whole) {
			if m[0] != "token" {
				want = append(want, m)
			}
		}
		left := ordered(t, got)
		if len(left) != len(want) {
			t.Fatalf("%q became %q", body, got)
		}
		for i := range left {
			if left[i] != want[i] {
				t.Fatalf("%q became %q", body, got)
			}
		}
	})
}
