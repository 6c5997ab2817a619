package timedlogin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/timedlogin"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const guid = "a45a039c-eb31-46f1-9ece-88aa5ccfe22c"

var expires = time.UnixMilli(1770202477469)

// recorder issues a token for whatever it is asked, and remembers what that was.
type recorder struct{ calls [][2]string }

func (r *recorder) LoginKey(_ context.Context, username string, key auth.Secret) (session.Issued, error) {
	r.calls = append(r.calls, [2]string{username, key.Reveal()})
	return session.Issued{Token: auth.NewSecret(guid), Expires: expires, TTL: 20 * time.Second}, nil
}

// post sends a login and returns the answer and what the service was asked.
func post(t testing.TB, contentType string, body []byte) (*http.Response, string, [][2]string) {
	t.Helper()
	s := &recorder{}
	d, err := timedlogin.New(dialect.Config{Base: "/login"}, s)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/login", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), w.Body.String(), s.calls
}

// Whatever comes, the answer is one of the contract's, whole, in the format of
// the request, and the service is asked exactly if the login succeeds.
func FuzzLogin(f *testing.F) {
	for _, seed := range []string{
		`{"Result":null,"UserLogin":"John.Doo","ApiKey":"hDn/LFXIPESM036W+s7VKg=="}`, `{}`, `null`, `[]`, ``, `{"UserLogin":1}`,
		`<Request><UserLogin>u</UserLogin><ApiKey>k</ApiKey></Request>`, `<Request/>`, `<!DOCTYPE Request><Request/>`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, isXML bool) {
		res, text, calls := post(t, contentType(isXML), body)
		if res.Header.Get("Content-Type") != contentType(isXML)+"; charset=utf-8" || res.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("fields %v", res.Header)
		}
		switch res.StatusCode {
		case http.StatusOK:
			checkIssued(t, text, isXML)
			if len(calls) != 1 || calls[0][0] == "" || calls[0][1] == "" {
				t.Fatalf("the service was asked %q", calls)
			}
		case http.StatusBadRequest:
			checkRefused(t, text, isXML)
			if len(calls) != 0 {
				t.Fatalf("the service was asked %q", calls)
			}
		default:
			if res.StatusCode != http.StatusRequestEntityTooLarge || len(body) <= dialect.DefaultMaxBody {
				t.Fatalf("status %d", res.StatusCode)
			}
		}
	})
}

func contentType(isXML bool) string {
	if isXML {
		return "application/xml"
	}
	return "application/json"
}

// wire reads both formats of every answer, as a client would.
type wire struct {
	Token, ExpireDate string
	ExpireInSec       int
	Message           string
	Code              int
	ModelStateErr     wireList
}

type wireList []string

func (l *wireList) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var list struct {
		Names []string `xml:"string"`
	}
	err := d.DecodeElement(&list, &start)
	*l = list.Names
	return err
}

func decode(t testing.TB, text string, isXML bool) (answer wire) {
	t.Helper()
	unmarshal := json.Unmarshal
	if isXML {
		unmarshal = xml.Unmarshal
	}
	if err := unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return answer
}

func checkIssued(t testing.TB, text string, isXML bool) {
	t.Helper()
	date := "/Date(1770202477469)/"
	if isXML {
		date = "2026-02-04T10:54:37.4690000Z"
	}
	if a := decode(t, text, isXML); a.Token != guid || a.ExpireInSec != 20 || a.ExpireDate != date {
		t.Fatalf("got %s", text)
	}
}

func checkRefused(t testing.TB, text string, isXML bool) {
	t.Helper()
	if a := decode(t, text, isXML); a.Code != 1002 || a.Message == "" || len(a.ModelStateErr) == 0 || a.Token != "" {
		t.Fatalf("got %s", text)
	}
}

// A login says the same in both formats: what one asks of the service, the
// other does too.
func FuzzBothFormatsSayTheSame(f *testing.F) {
	f.Add("John.Doo", "hDn/LFXIPESM036W+s7VKg==", "")
	f.Add(" <&>\"' ", "\r\n\t", "Result")
	f.Add("", "k", "New")
	f.Add("\ufffd🗝", "]]>", "UserLogins")
	f.Fuzz(func(t *testing.T, login, key, unknown string) {
		if !inBothFormats(login) || !inBothFormats(key) {
			t.Skip("XML has no way to say this")
		}
		jsonRes, _, fromJSON := post(t, "application/json", jsonLogin(t, login, key, unknown))
		xmlRes, _, fromXML := post(t, "application/xml", xmlLogin(t, login, key, unknown))
		if jsonRes.StatusCode != xmlRes.StatusCode || len(fromJSON) != len(fromXML) {
			t.Fatalf("JSON is answered %d, XML %d", jsonRes.StatusCode, xmlRes.StatusCode)
		}
		if len(fromJSON) == 0 {
			if login != "" && key != "" && jsonRes.StatusCode != http.StatusRequestEntityTooLarge {
				t.Fatal("both fields were there")
			}
			return
		}
		if want := [2]string{login, key}; fromJSON[0] != want || fromXML[0] != want {
			t.Fatalf("sent %q, JSON says %q, XML says %q", want, fromJSON, fromXML)
		}
	})
}

// inBothFormats reports whether XML 1.0 can carry text (production 2), and
// whether it fits into a body in either, escapes included.
func inBothFormats(text string) bool {
	control := func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	}
	return utf8.ValidString(text) && !strings.ContainsFunc(text, control) && len(text) < 1<<10
}

func jsonLogin(t testing.TB, login, key, unknown string) []byte {
	members := map[string]any{"UserLogin": login, "ApiKey": key}
	if addable(unknown) {
		members[unknown] = []any{map[string]any{"UserLogin": 1}}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func xmlLogin(t testing.TB, login, key, unknown string) []byte {
	var b bytes.Buffer
	b.WriteString("<Request>")
	if addable(unknown) {
		b.WriteString("<" + unknown + "><UserLogin>1</UserLogin></" + unknown + ">")
	}
	for _, f := range [][2]string{{"ApiKey", key}, {"UserLogin", login}} {
		b.WriteString("<" + f[0] + ">")
		if err := xml.EscapeText(&b, []byte(f[1])); err != nil {
			t.Fatal(err)
		}
		b.WriteString("</" + f[0] + ">")
	}
	b.WriteString("</Request>")
	return b.Bytes()
}

// addable reports whether name can be one more member and element: letters
// only, and not one of ours in any case.
func addable(name string) bool {
	letter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	return name != "" && len(name) < 100 && strings.TrimFunc(name, letter) == "" &&
		!strings.EqualFold(name, "UserLogin") && !strings.EqualFold(name, "ApiKey")
}

// A refusal names the start of a token that an attacker chose: it must stay
// inside its member or element, and be no longer than eight characters.
func FuzzRefuse(f *testing.F) {
	f.Add(guid)
	f.Add(`</Message><Code>0</Code>`)
	f.Add(`","Code":0,"x":"`)
	f.Add("\x00\xff\r\nSet-Cookie: a=b")
	f.Fuzz(func(t *testing.T, token string) {
		fromJSON, fromXML := refuse(t, "application/json", token), refuse(t, "application/xml", token)
		if fromJSON.Code != 1000 || fromXML.Code != 1000 {
			t.Fatalf("JSON %+v, XML %+v", fromJSON, fromXML)
		}
		for _, message := range []string{fromJSON.Message, fromXML.Message} {
			if token != "" && utf8.RuneCountInString(message) > len("Token 12345678 not found") {
				t.Fatalf("%q is too long", message)
			}
		}
		if inBothFormats(token) && fromJSON.Message != fromXML.Message {
			t.Fatalf("JSON says %q, XML says %q", fromJSON.Message, fromXML.Message)
		}
	})
}

func refuse(t testing.TB, accept, token string) wire {
	t.Helper()
	d, err := timedlogin.New(dialect.Config{Base: "/login"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	d.Refuse(w, r, dialect.Refusal{
		Err:        auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil),
		Credential: bearer.Credential{Kind: auth.Query, Token: token},
	})
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusUnauthorized {
		t.Fatal(w.Code, err)
	}
	return decode(t, string(text), accept == "application/xml")
}
