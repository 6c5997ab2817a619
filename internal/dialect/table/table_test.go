package table_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// shared are the options that all dialects share; one may refuse an option of
// these and may not take its name.
var shared = []string{"ttl", "idle", "format", "max_body", "cors", "attempts", "openapi"}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range table.Kinds() {
		t.Run(k.Name+" is complete", func(t *testing.T) {
			if seen[k.Name] {
				t.Error("another dialect has this name")
			}
			seen[k.Name] = true
			if k.Base == "" || k.TTL <= 0 || k.Credentials == nil || k.New == nil {
				t.Errorf("base %q, ttl %s or a function is missing", k.Base, k.TTL)
			}
			checkOptions(t, k)
		})
		t.Run(k.Name+" takes no whole site", func(t *testing.T) {
			for _, base := range []string{"", "/"} {
				if _, err := k.New(dialect.Config{Base: base}, session.New(&session.Deps{}, session.Config{})); err == nil {
					t.Errorf("the base path %q passed", base)
				}
			}
		})
		t.Run(k.Name+" is found by its name", func(t *testing.T) {
			if found, ok := table.Lookup(k.Name); !ok || found.Base != k.Base {
				t.Errorf("Lookup(%q) = %q, %v", k.Name, found.Name, ok)
			}
		})
	}
	if _, ok := table.Lookup("none"); ok {
		t.Error("Lookup found a dialect that does not exist")
	}
	if len(table.Names()) != len(seen) {
		t.Errorf("Names() = %q, want %d", table.Names(), len(seen))
	}
}

func checkOptions(t *testing.T, k dialect.Kind) {
	t.Helper()
	seen := slices.Clone(shared)
	for _, o := range k.Options {
		if slices.Contains(seen, o.Name) {
			t.Errorf("option %q stands twice or is one that all dialects share", o.Name)
		}
		if o.Check == nil {
			t.Errorf("option %q has no Check", o.Name)
		}
		seen = append(seen, o.Name)
	}
	for name, reason := range k.Refused {
		if !slices.Contains(shared, name) || reason == "" {
			t.Errorf("refuses %q because %q: not a shared option, or no reason", name, reason)
		}
	}
}
