package main

import "runtime/debug"

const module = "github.com/gatehouse-auth/gatehouse"

// version returns our version in a form that Caddy puts its own behind.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return versionOf(debug.Module{})
	}
	return versionOf(build.Main)
}

// versionOf names what the main module of a build is; Go calls one that was
// built from changed files "(devel)".
func versionOf(main debug.Module) string {
	number := main.Version
	if main.Path != module || number == "" || number == "(devel)" {
		number = "devel"
	}
	return "gatehouse " + number + ", caddy"
}
