package dialect

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func parse(t *testing.T, body string) Object {
	t.Helper()
	o, err := ParseObject([]byte(body), FoldNames)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestNullCountsAsAbsent(t *testing.T) {
	o := parse(t, `{"text":null,"int":null,"bool":null,"object":null,"array":null}`)
	_, text := o.Text("text")
	_, number := o.Int("int")
	_, truth := o.Bool("bool")
	_, object := o.Object("object")
	_, array := o.Objects("array")
	if text || number || truth || object || array || o.Has("text") || o.Err() != nil {
		t.Errorf("a null was there, or noted: %v", o.Err())
	}
}

func TestMembersAreReadByType(t *testing.T) {
	o := parse(t, `{"Text":"a","int":-9223372036854775808,"bool":true,"object":{"a":{"B":"c"}},"array":[{"a":1},null,{"a":2}]}`)
	if v, ok := o.Text("text"); v != "a" || !ok {
		t.Errorf("Text = %q, %v", v, ok)
	}
	if v, ok := o.Int("int"); v != -1<<63 || !ok {
		t.Errorf("Int = %d, %v", v, ok)
	}
	if v, ok := o.Bool("bool"); !v || !ok {
		t.Errorf("Bool = %v, %v", v, ok)
	}
	outer, _ := o.Object("object")
	inner, _ := outer.Object("a")
	if v, ok := inner.Text("b"); v != "c" || !ok {
		t.Errorf("inner Text = %q, %v", v, ok)
	}
	items, _ := o.Objects("array")
	if len(items) != 2 || o.Err() != nil {
		t.Fatalf("Objects = %v, %v", items, o.Err())
	}
	if v, _ := items[1].Int("a"); v != 2 {
		t.Errorf("second element = %d", v)
	}
}

func TestWrongMembersAreAllNamed(t *testing.T) {
	o := parse(t, `{"text":{"$ne":null},"int":1.0,"big":9223372036854775808,"bool":"true","object":[],"array":{},
		"empty":"","items":[1,{"deep":true}]}`)
	o.Text("text")
	o.Int("int")
	o.Int("big")
	o.Bool("bool")
	o.Object("object")
	o.Objects("array")
	o.Required("empty")
	o.Required("missing")
	o.Required("int")
	items, _ := o.Objects("items")
	items[0].Text("deep")
	o.Texts("text")
	o.Texts("items")
	err := o.Err()
	if auth.CodeOf(err) != auth.Malformed {
		t.Fatalf("Err = %v", err)
	}
	fields, _ := errors.AsType[FieldErrors](err)
	const want = "text must be a string; int must be a whole number; big must be a whole number; " +
		"bool must be true or false; object must be an object; array must be an array; empty is required; " +
		"missing is required; int must be a string; items[0] must be an object; items[1].deep must be a string; " +
		"text must be an array; items[0] must be a string; items[1] must be a string"
	if fields.Error() != want {
		t.Errorf("fields:\n%s\nwant:\n%s", fields, want)
	}
}

func TestTextsLeaveNullsOut(t *testing.T) {
	o := parse(t, `{"some":["a",null,"","a"],"none":[],"null":null}`)
	some, ok := o.Texts("some")
	if !ok || !slices.Equal(some, []string{"a", "", "a"}) {
		t.Errorf("some = %q, %v", some, ok)
	}
	if none, ok := o.Texts("none"); !ok || none == nil || len(none) != 0 {
		t.Errorf("none = %q, %v", none, ok)
	}
	for _, name := range []string{"null", "missing"} {
		if texts, ok := o.Texts(name); ok || texts != nil {
			t.Errorf("%s = %q, %v", name, texts, ok)
		}
	}
	if err := o.Err(); err != nil {
		t.Error(err)
	}
}

func TestTheZeroObjectIsEmpty(t *testing.T) {
	var o Object
	if o.Has("a") || o.Required("a") != "" || o.Err() != nil {
		t.Error("the zero object holds something")
	}
}

func TestAShortBodyHasNoLongListOfErrors(t *testing.T) {
	o := parse(t, `{"items":[`+strings.Repeat("1,", 5000)+`1]}`)
	o.Objects("items")
	fields, _ := errors.AsType[FieldErrors](o.Err())
	if len(fields) != maxFieldErrors {
		t.Errorf("%d errors, want %d", len(fields), maxFieldErrors)
	}
}
