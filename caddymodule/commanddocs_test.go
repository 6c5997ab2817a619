package caddymodule

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// What a command takes and prints is a promise: docs/commands.md tells all of it.
func TestTheDocumentationNamesEveryCommandFlagAndMember(t *testing.T) {
	text, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	says := func(what string) {
		if !strings.Contains(string(text), "`"+what) {
			t.Errorf("docs/commands.md does not mention %s", what)
		}
	}
	for _, c := range commands() {
		cmd := &cobra.Command{Use: c.name}
		c.build(cmd)
		for _, v := range cmd.Commands() {
			says(c.name + " " + v.Name())
			v.Flags().VisitAll(func(f *pflag.Flag) { says("--" + f.Name) })
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { says("--" + f.Name) })
		cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { says("--" + f.Name) })
	}
	for _, doc := range []any{
		accountWhole{},
		memberJSON{},
		keyJSON{},
		tokenJSON{},
		revokedJSON{},
		tenantJSON{},
		unitJSON{},
		identifierJSON{},
		signingKeyJSON{},
		keyRingJSON{},
		forgottenJSON{},
		migratedJSON{},
		backupJSON{},
		checkJSON{},
		admin.RingKey{},
		admin.Resealed{},
		sqlstore.Copied{},
		sqlstore.TableCount{},
		explanationJSON{},
		explainedJSON{},
		stepJSON{},
		verdictJSON{},
		admin.Imported{},
		admin.ImportError{},
		store.Profile{},
		store.Setting{},
	} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(doc)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				says(name + "`")
			}
		}
	}
}

func TestProgressShowsOnlyWhereSomebodyWatches(t *testing.T) {
	for _, size := range []int64{-1, 0, 100} {
		for _, watched := range []bool{true, false} {
			var out strings.Builder
			bar := progress(&out, watched, size)
			_ = bar.Set(50)
			_ = bar.Finish()
			if size > 0 && strings.Contains(out.String(), "importing") != watched || !watched && out.Len() > 0 {
				t.Errorf("size %d, watched %v: %q", size, watched, out.String())
			}
		}
	}
}
