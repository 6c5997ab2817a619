package dialect

import "testing"

func TestShared(t *testing.T) {
	below := Route{Path: "/login"}
	for _, c := range []struct {
		name string
		a, b []Route
		want string
	}{
		{"nothing of no routes", nil, []Route{below}, ""},
		{"nothing where only the text begins alike", []Route{below}, []Route{{Path: "/loginx"}}, ""},
		{"the one that is below the other", []Route{below}, []Route{{Path: "/login/a.json", Exact: true}}, "/login/a.json"},
		{"the same the other way round", []Route{{Path: "/login/a.json", Exact: true}}, []Route{below}, "/login/a.json"},
		{"nothing below a route that is exact", []Route{{Path: "/login", Exact: true}}, []Route{{Path: "/login/a"}}, ""},
		{"a path in any case if one of them folds", []Route{{Path: "/LOGIN", Fold: true}}, []Route{below}, "/LOGIN"},
		{"a path of any of the routes", []Route{{Path: "/a"}, below}, []Route{{Path: "/b"}, below}, "/login"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Shared(c.a, c.b); got != c.want {
				t.Errorf("Shared = %q, want %q", got, c.want)
			}
		})
	}
}
