package storetest

import (
	"reflect"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// ok fails the clause where err is an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

// refused fails the clause unless err is of that code.
func refused(t *testing.T, err error, code auth.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %v", code)
	}
	if got := auth.CodeOf(err); got != code {
		t.Fatalf("got error %v, want %v", err, code)
	}
}

// want fails the clause unless got and want hold the same; an empty list is
// the same as none.
func want[T any](t *testing.T, got, want T) {
	t.Helper()
	a, b := plain(reflect.ValueOf(got)), plain(reflect.ValueOf(want))
	if !reflect.DeepEqual(a.Interface(), b.Interface()) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
}

// plain returns a copy of v in which every empty list is nil.
func plain(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 {
			return out
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(plain(v.Index(i)))
		}
	case reflect.Struct:
		out.Set(v)
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(plain(v.Field(i)))
			}
		}
	default:
		out.Set(v)
	}
	return out
}
