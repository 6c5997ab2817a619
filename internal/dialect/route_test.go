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

func TestARouteThatIsNarrowedCoversWhatGoesOnLikeIt(t *testing.T) {
	r := Route{Path: "/entities", Below: "/*/users/*/token", Fold: true}
	for path, want := range map[string]bool{
		"/entities/a/users/b/token": true, "/entities/a/users/b/token/refresh": true, "/entities/a/users/b/token/": true,
		"/Entities/A/USERS/b/Token": true, "/entities/users/users/users/token": true,
		"/entities/a/users/b/token.": true, "/entities/a/users /b/token ": true, "/entities/a/users/b/token. /refresh": true,
		"/entities": false, "/entities/": false, "/entities/a": false, "/entities/a/users/b": false, "/entities/a/users/b/": false,
		"/entities/a/users/b/tokens": false, "/entities/a/users/b/toke": false, "/entities/a/user/b/token": false,
		"/entities//users/b/token": false, "/entities/a/users//token": false, "/entities/a/x/users/b/token": false,
		"/entitiesx/a/users/b/token": false, "/x/a/users/b/token": false, "": false, "/": false,
	} {
		if got := r.Covers(path); got != want {
			t.Errorf("%q is covered: %v", path, got)
		}
	}
	exact := Route{Path: "/entities", Below: "/*", Exact: true}
	if !exact.Covers("/entities/a") || exact.Covers("/entities/a/b") || exact.Covers("/entities/a/") || exact.Covers("/Entities/a") {
		t.Error("an exact one covers other paths")
	}
	if got := Shared([]Route{r}, []Route{{Path: "/entities/a"}}); got != "/entities/a" {
		t.Errorf("another dialect shares %q", got)
	}
}
