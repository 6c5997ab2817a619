package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func TestParseObjectRefuses(t *testing.T) {
	tests := []struct {
		name, body string
		reason     auth.Reason
	}{
		{"an empty body", "", auth.ReasonForm},
		{"white space alone", " \n", auth.ReasonForm},
		{"null", "null", auth.ReasonForm},
		{"an array", `[{"a":1}]`, auth.ReasonForm},
		{"a string", `"a"`, auth.ReasonForm},
		{"a byte order mark", "\ufeff{}", auth.ReasonForm},
		{"a second object", `{}{}`, auth.ReasonForm},
		{"trailing text", `{} x`, auth.ReasonForm},
		{"a trailing NUL", "{}\x00", auth.ReasonForm},
		{"a trailing comma", `{"a":1,}`, auth.ReasonForm},
		{"a leading comma", `{,"a":1}`, auth.ReasonForm},
		{"a comment", `{/**/}`, auth.ReasonForm},
		{"a name without quotes", `{a:1}`, auth.ReasonForm},
		{"single quotes", `{'a':1}`, auth.ReasonForm},
		{"no colon", `{"a" 1}`, auth.ReasonForm},
		{"no end", `{"a":1`, auth.ReasonForm},
		{"NaN", `{"a":NaN}`, auth.ReasonForm},
		{"a leading zero", `{"a":01}`, auth.ReasonForm},
		{"a plus sign", `{"a":+1}`, auth.ReasonForm},
		{"a bare minus", `{"a":-}`, auth.ReasonForm},
		{"a point without digits", `{"a":1.}`, auth.ReasonForm},
		{"an exponent without digits", `{"a":1e+}`, auth.ReasonForm},
		{"literals in capitals", `{"a":True}`, auth.ReasonForm},
		{"a control character in a string", "{\"a\":\"\n\"}", auth.ReasonForm},
		{"a control character behind an escape", "{\"a\":\"\\t\n\"}", auth.ReasonForm},
		{"an unknown escape", `{"a":"\x41"}`, auth.ReasonForm},
		{"an escape cut off", `{"a":"\u00"}`, auth.ReasonForm},
		{"a string without an end", `{"a":"b`, auth.ReasonForm},
		{"an escaped string without an end", `{"a":"\n`, auth.ReasonForm},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", auth.ReasonForm},
		{"an encoded surrogate", "{\"a\":\"\xed\xa0\x80\"}", auth.ReasonForm},
		{"a lone high surrogate", `{"a":"\ud800"}`, auth.ReasonForm},
		{"a lone low surrogate", `{"a":"\udc00"}`, auth.ReasonForm},
		{"a high surrogate before another escape", `{"a":"\ud800\n"}`, auth.ReasonForm},
		{"two high surrogates", `{"a":"\ud800\ud800"}`, auth.ReasonForm},
		{"a surrogate pair cut off", `{"a":"\ud800\udc"}`, auth.ReasonForm},
		{"vertical tab as space", "{\v}", auth.ReasonForm},
		{"a member twice", `{"a":1,"a":1}`, auth.ReasonDuplicate},
		{"a member in two cases", `{"userName":1,"USERNAME":2}`, auth.ReasonDuplicate},
		{"a member once escaped", `{"a":1,"\u0061":2}`, auth.ReasonDuplicate},
		{"a null member twice", `{"a":null,"a":1}`, auth.ReasonDuplicate},
		{"an inner member twice", `{"a":[{"b":1,"b":2}]}`, auth.ReasonDuplicate},
		{"an unknown member twice", `{"a":1,"x":{"y":{"z":1,"Z":1}}}`, auth.ReasonDuplicate},
		{"33 levels", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), auth.ReasonForm},
		{"10,000 levels", strings.Repeat("[", 10_000), auth.ReasonForm},
		{"10,001 values", `{"a":[` + strings.Repeat("1,", 10_000) + "1]}", auth.ReasonForm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := ParseObject([]byte(tt.body), FoldNames)
			e := auth.AsError(err)
			if e == nil || e.Code != auth.Malformed || e.Reason != tt.reason {
				t.Fatalf("ParseObject = %v, want malformed: %s", err, tt.reason)
			}
			if _, ok := errors.AsType[*SyntaxError](err); !ok || o.members != nil {
				t.Errorf("error %v with members %v, want a SyntaxError and none", err, o.members)
			}
		})
	}
}

func TestParseObjectReadsWhatItMeans(t *testing.T) {
	o, err := ParseObject([]byte("\t{\"a\\u0062\" : \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\ude00é\" ,\r\n\"n\":-0.5E+1}\n"), ExactNames)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := o.Text("ab"); got != "\"\\/\b\f\n\r\té😀é" {
		t.Errorf("text = %q", got)
	}
}

func TestNamesAreFoldedInASCIIOnly(t *testing.T) {
	// encoding/json takes U+017F, the long s, for s and U+212A, the Kelvin
	// sign, for k.
	o, err := ParseObject([]byte("{\"u\u017fername\":\"a\",\"to\u212aen\":\"b\",\"USERNAME\":\"c\"}"), FoldNames)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := o.Text("username"); got != "c" {
		t.Errorf("username = %q, want c", got)
	}
	if o.Has("token") {
		t.Error("the Kelvin sign passed for a k")
	}
}

func TestExactNamesAreDifferentInAnotherCase(t *testing.T) {
	o, err := ParseObject([]byte(`{"a":"x","A":"y"}`), ExactNames)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := o.Text("A"); got != "y" {
		t.Errorf("A = %q, want y", got)
	}
}

func TestBoundsAllowWhatIsJustWithinThem(t *testing.T) {
	for _, body := range []string{
		strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32),
		`{"a":[` + strings.Repeat("1,", 9_997) + "1]}",
		`{"a":[` + strings.Repeat("{},", 100) + "[]]}",
	} {
		if _, err := ParseObject([]byte(body), FoldNames); err != nil {
			t.Errorf("ParseObject(%.20s…) = %v", body, err)
		}
	}
}

func TestJSONTestSuite(t *testing.T) {
	dir := os.Getenv("GATEHOUSE_CORPORA")
	if dir == "" {
		t.Skip("GATEHOUSE_CORPORA is not set: the JSONTestSuite vectors are not replayed")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "JSONTestSuite", "test_parsing", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		_, err = ParseObject(body, ExactNames)
		switch {
		case name[0] == 'n' && err == nil:
			t.Errorf("%s was accepted", name)
		case name[0] == 'y' && err != nil && wanted(name, body):
			t.Errorf("%s was refused: %v", name, err)
		}
	}
}

// wanted reports whether a valid document is an object in which no member
// stands twice: those of the suite that do are refused on purpose.
func wanted(name string, body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) && !strings.Contains(name, "duplicated")
}

func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":[1,-2.5e3,"x\ud83d\ude00",true,false,null,{"b":{}}]}`,
		`{"A":1,"a":2}`, `{"a":"\u0000\/"}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, "\ufeff{}", `{} {}`, `[1]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := ParseObject(body, ExactNames)
		if err != nil {
			if o.members != nil || auth.CodeOf(err) != auth.Malformed {
				t.Fatalf("error %v with members %v", err, o.members)
			}
			return
		}
		again, err := ParseObject(appendValue(nil, value{kind: objectValue, members: o.members}), ExactNames)
		if err != nil || !reflect.DeepEqual(o.members, again.members) {
			t.Fatalf("written and read again: %v, %v, want %v", again.members, err, o.members)
		}
		var std map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&std); err != nil {
			t.Fatalf("encoding/json refuses: %v", err)
		}
		if got := (value{kind: objectValue, members: o.members}).plain(); !reflect.DeepEqual(got, any(std)) {
			t.Fatalf("read %v, encoding/json reads %v", got, std)
		}
		if _, err := ParseObject(body, FoldNames); err != nil && auth.AsError(err).Reason != auth.ReasonDuplicate {
			t.Fatalf("folding names made it %v", err)
		}
	})
}

func appendValue(b []byte, v value) []byte {
	text, err := json.Marshal(v.plain())
	if err != nil {
		return append(b, err.Error()...)
	}
	return append(b, text...)
}

func TestBlank(t *testing.T) {
	for body, want := range map[string]bool{"": true, " \t\r\n": true, "\v": false, "{}": false, "\x00": false, "\u00a0": false} {
		if got := Blank([]byte(body)); got != want {
			t.Errorf("Blank(%q) = %v", body, got)
		}
	}
}

func TestParseValueReadsAnyOneValue(t *testing.T) {
	for body, want := range map[string]any{
		` [1, "a", null, true, {"b": []}] `: []any{json.Number("1"), "a", nil, true, map[string]any{"b": []any{}}},
		`"a"`:                               "a", `false`: false, `null`: nil, `-1e3`: json.Number("-1e3"),
	} {
		if got, err := ParseValue([]byte(body)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseValue(%s) = %v, %v, want %v", body, got, err, want)
		}
	}
	for _, body := range []string{"", "[1,]", `[{"a":1,"a":1}]`, "[] []", "[\"\xff\"]", strings.Repeat("[", 33) + strings.Repeat("]", 33)} {
		if got, err := ParseValue([]byte(body)); got != nil || auth.AsError(err) == nil || auth.CodeOf(err) != auth.Malformed {
			t.Errorf("ParseValue(%.20q) = %v, %v", body, got, err)
		}
	}
}
