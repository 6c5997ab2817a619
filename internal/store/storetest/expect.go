package storetest

import (
	"reflect"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
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
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v // bytes hold no lists
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

// kept reports whether a row with odd text was taken; the clause fails where it
// was refused as anything but malformed.
func kept(t *testing.T, name string, err error) bool {
	t.Helper()
	if err == nil {
		return true
	}
	if got := auth.CodeOf(err); got != auth.Malformed {
		t.Fatalf("%s: got error %v, want none or malformed", name, err)
	}
	return false
}

// pages holds a list to its order, its pages and its bounds.
func pages(t *testing.T, all []string, list func(store.Page) ([]string, error)) {
	t.Helper()
	for _, c := range []struct {
		page     store.Page
		from, to int
	}{
		{store.Page{}, 0, len(all)},
		{store.Page{Limit: store.MaxPage + 1}, 0, len(all)},
		{store.Page{Limit: 2}, 0, 2},
		{store.Page{Offset: 1, Limit: 2}, 1, 3},
		{store.Page{Offset: len(all) - 1, Limit: 5}, len(all) - 1, len(all)},
		{store.Page{Offset: 2}, 2, len(all)},
		{store.Page{Offset: len(all)}, len(all), len(all)},
		{store.Page{Offset: 1 << 40, Limit: 1}, len(all), len(all)},
	} {
		got, err := list(c.page)
		ok(t, err)
		want(t, got, all[c.from:c.to])
	}
	for _, p := range []store.Page{{Limit: -1}, {Offset: -1}} {
		_, err := list(p)
		refused(t, err, auth.Malformed)
	}
}

// names returns one member of each row.
func names[T any](rows []T, name func(T) string) []string {
	var all []string
	for _, r := range rows {
		all = append(all, name(r))
	}
	return all
}

// oneWins runs fn n times at once and fails the clause unless exactly one
// call succeeds and all others are conflicts. It returns the winner.
func oneWins(t *testing.T, n int, fn func(i int) error) int {
	t.Helper()
	winner := -1
	for i, err := range atOnce(n, fn) {
		if err != nil {
			refused(t, err, auth.Conflict)
			continue
		}
		if winner >= 0 {
			t.Fatalf("of %d at once, %d and %d won", n, winner, i)
		}
		winner = i
	}
	if winner < 0 {
		t.Fatalf("of %d at once, none won", n)
	}
	return winner
}

// atOnce runs fn n times at once and returns what each returned.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}
