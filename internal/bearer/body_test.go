package bearer_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestReadBody(t *testing.T) {
	post := func(body string) *http.Request { return withBody(http.MethodPost, body) }
	got := func(text string) want { return token(auth.Body, text) }
	pad := strings.Repeat("x", 2000)
	runReads(t, bearer.Spec{Kind: auth.Body, Name: "token", MaxBody: 1000}, map[string]readCase{
		"a POST is read":                           {post(`{"a":[1,{"token":"no"}],"token":"abc"}`), got("abc")},
		"a PUT is read":                            {withBody(http.MethodPut, `{"token":"abc"}`), got("abc")},
		"a PATCH is read":                          {withBody(http.MethodPatch, `{"token":"abc"}`), got("abc")},
		"a DELETE is read":                         {withBody(http.MethodDelete, `{"token":"abc"}`), got("abc")},
		"a GET is not read":                        {withBody(http.MethodGet, `{"token":"abc"}`), absent()},
		"no body is no credential":                 {withBody(http.MethodPost, ""), absent()},
		"white space is no credential":             {post(" \r\n\t"), absent()},
		"white space around is fine":               {post("\n {\"token\" :\t\"abc\"}\r\n"), got("abc")},
		"escapes are decoded":                      {post(`{"t\u006fken":"a\u0062c"}`), got("abc")},
		"no member is no credential":               {post(`{"tokens":"abc"}`), absent()},
		"another case is another member":           {post(`{"Token":"abc"}`), absent()},
		"null is no credential":                    {post(`{"token":null}`), absent()},
		"an empty text is no credential":           {post(`{"token":""}`), absent()},
		"a member further down is not ours":        {post(`{"a":{"token":"abc"}}`), absent()},
		"an array is no object":                    {post(`[{"token":"abc"}]`), absent()},
		"a form is no object":                      {post(`token=abc`), absent()},
		"a large body of another kind is let by":   {post("--" + pad), absent()},
		"half an object is no object":              {post(`{"token":"abc"`), absent()},
		"more after the object is no object":       {post(`{"token":"abc"}{}`), absent()},
		"a byte order mark is passed over":         {post("\ufeff" + `{"token":"abc"}`), got("abc")},
		"one that came byte by byte is too":        {slowly("\ufeff" + ` {"token":"abc"}`), got("abc")},
		"two byte order marks are no object":       {post("\ufeff\ufeff" + `{"token":"abc"}`), absent()},
		"half a byte order mark is no object":      {post("\xef\xbb" + `{"token":"abc"}`), absent()},
		"a byte order mark alone is no object":     {post("\ufeff"), absent()},
		"one behind white space is no object":      {post(" \ufeff" + `{"token":"abc"}`), absent()},
		"a large body with a mark is let by":       {post("\ufeff--" + pad), absent()},
		"a large object with a mark is too large":  {post("\ufeff" + `{"a":"` + pad + `"}`), malformed(auth.ReasonTooLarge)},
		"a comment is no object":                   {post(`{/**/"token":"abc"}`), absent()},
		"a number is malformed":                    {post(`{"token":1}`), malformed(auth.ReasonForm)},
		"an object is malformed":                   {post(`{"token":{}}`), malformed(auth.ReasonForm)},
		"two members are malformed":                {post(`{"token":"a","token":"b"}`), malformed(auth.ReasonDuplicate)},
		"null and another are malformed":           {post(`{"token":null,"token":"b"}`), malformed(auth.ReasonDuplicate)},
		"two members by escapes are malformed":     {post(`{"token":"a","\u0074oken":"a"}`), malformed(auth.ReasonDuplicate)},
		"a body at the bound is read":              {post(`{"token":"abc"}` + strings.Repeat(" ", 985)), got("abc")},
		"a body past the bound is too large":       {post(`{"token":"abc"}` + strings.Repeat(" ", 986)), malformed(auth.ReasonTooLarge)},
		"a large object is too large":              {post(`{"a":"` + pad + `","token":"abc"}`), malformed(auth.ReasonTooLarge)},
		"a large object in white space is too":     {post(strings.Repeat(" ", 1001)), malformed(auth.ReasonTooLarge)},
		"a body that came byte by byte is read":    {slowly(`{"token":"abc"}`), got("abc")},
		"a body that broke off is malformed":       {broken(`{"token":"abc"`), malformed(auth.ReasonForm)},
		"what is no UTF-8 is no token that exists": {post("{\"token\":\"a\xff\"}"), got("a\ufffd")},
	})
	runReads(t, bearer.Spec{Kind: auth.Body, Name: "Token", FoldName: true}, map[string]readCase{
		"any case is read":                 {post(`{"tOKEN":"abc"}`), got("abc")},
		"two spellings are malformed":      {post(`{"token":"a","Token":"b"}`), malformed(auth.ReasonDuplicate)},
		"only ASCII letters fold":          {post("{\"to\u212Aen\":\"a\"}"), absent()},
		"the default bound holds a lot":    {post(`{"a":"` + strings.Repeat("x", 60<<10) + `","token":"abc"}`), got("abc")},
		"the default bound is still there": {post(`{"a":"` + strings.Repeat("x", 64<<10) + `"}`), malformed(auth.ReasonTooLarge)},
	})
}

func slowly(body string) *http.Request {
	r := withBody(http.MethodPost, "-")
	r.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader(body)))
	return r
}

var errBroken = errors.New("broken off")

func broken(body string) *http.Request {
	r := withBody(http.MethodPost, "-")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), iotest.ErrReader(errBroken)))
	return r
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestReadBodyPutsItBack(t *testing.T) {
	for name, body := range map[string]string{
		"an object":          `{"token":"abc","n":1.0e5}` + "\n",
		"two members":        `{"token":"a","token":"b"}`,
		"a large object":     `{"a":"` + strings.Repeat("x", 5000) + `"}`,
		"an upload":          strings.Repeat("\x00\xff", 5000),
		"a form":             "token=abc",
		"nothing":            "",
		"a broken object":    `{"token":`,
		"white space at all": strings.Repeat(" ", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			r := withBody(http.MethodPost, "-")
			original := &closing{Reader: strings.NewReader(body)}
			r.Body, r.ContentLength = original, int64(len(body))
			_, _, _ = bearer.Spec{Kind: auth.Body, Name: "token", MaxBody: 1000}.Read(r)
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != body {
				t.Errorf("the upstream gets %d bytes and %v, want %d", len(got), err, len(body))
			}
			if r.ContentLength != int64(len(body)) {
				t.Errorf("the length became %d", r.ContentLength)
			}
			if _ = r.Body.Close(); !original.closed {
				t.Error("closing does not reach the connection")
			}
		})
	}
}

func TestReadBodyThatBrokeOffStaysBroken(t *testing.T) {
	r := broken(`{"token":"abc"`)
	_, _, _ = bearer.Spec{Kind: auth.Body, Name: "token"}.Read(r)
	if got, err := io.ReadAll(r.Body); !errors.Is(err, errBroken) || string(got) != `{"token":"abc"` {
		t.Errorf("the upstream gets %q and %v", got, err)
	}
}

func FuzzBody(f *testing.F) {
	for _, b := range []string{`{"token":"a"}`, `{"token":"a","token":"b"}`, `{`, `[]`, `{"token":null}`, `{"t\u006fken":1}`, " {}x", "\ufeff{}", "\xef\xbb"} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := withBody(http.MethodPost, "-")
		r.Body = io.NopCloser(strings.NewReader(body))
		checkReading(t, bearer.Spec{Kind: auth.Body, Name: "token", MaxBody: 200}, r)
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
			t.Fatalf("%q became %q, %v", body, got, err)
		}
	})
}
