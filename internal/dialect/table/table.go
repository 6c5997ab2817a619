// Package table lists the dialects that exist, one line each. Adding or
// deleting one is a folder and a line here.
package table

import (
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/crmtoken"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/entitytoken"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/logintoken"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/management"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/oauth2"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/timedlogin"
)

// Kinds returns every dialect, in the order in which they are told to people.
func Kinds() []dialect.Kind {
	return []dialect.Kind{
		logintoken.Kind(),
		management.Kind(),
		entitytoken.Kind(),
		timedlogin.Kind(),
		crmtoken.Kind(),
		oauth2.Kind(),
	}
}

// Lookup returns the dialect of that name.
func Lookup(name string) (dialect.Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return dialect.Kind{}, false
}

// Names returns the names of all dialects, in the order of [Kinds].
func Names() []string {
	kinds := Kinds()
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}
