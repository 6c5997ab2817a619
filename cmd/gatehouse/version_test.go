package main

import (
	"runtime/debug"
	"testing"
)

func TestTheVersionIsThatOfOurModule(t *testing.T) {
	for name, c := range map[string]struct {
		main debug.Module
		want string
	}{
		"a release":                       {debug.Module{Path: module, Version: "v1.2.3"}, "gatehouse v1.2.3, caddy"},
		"a build of changed files":        {debug.Module{Path: module, Version: "(devel)"}, "gatehouse devel, caddy"},
		"a build without version control": {debug.Module{Path: module}, "gatehouse devel, caddy"},
		"a program around our commands":   {debug.Module{Path: "example.com/own", Version: "v9.9.9"}, "gatehouse devel, caddy"},
		"a build that says nothing":       {debug.Module{}, "gatehouse devel, caddy"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := versionOf(c.main); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
