package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-auth/gatehouse"

// root is the top of the repository, seen from this folder.
const root = "../.."

// floors lists the packages from the ground up. A package may import those on
// the floors below its own and none beside it, except where beside says so. A
// path ending in /... stands for the packages below it.
var floors = [][]string{
	{"internal/auth", "internal/lint", "internal/dudect", "internal/testserver", "internal/clock", "docs/..."},
	{"internal/store", "internal/bearer", "internal/forward", "internal/policy", "internal/password", "internal/password/...", "internal/throttle"},
	{"internal/store/...", "internal/token", "internal/issuer"},
	{"internal/authn"},
	{"internal/session", "internal/admin"},
	{"internal/dialect"},
	{"internal/dialect/..."},
	{"internal/gateway"},
	{"caddymodule"},
	{"cmd/...", "examples/...", "internal/archtest"},
}

// beside lists what may import a package of its own floor.
var beside = map[string][]string{
	"internal/dialect/table":    {"internal/dialect/"},
	"examples/assertion":        {"examples/assertion/"},
	"internal/store/sqlstore":   {"internal/store/storetest", "internal/store/reach"},
	"internal/store/redisstore": {"internal/store/reach"},
	"internal/store/memstore":   {"internal/store/storetest"},
}

// caddyOnly are modules that only caddymodule and the programs may know.
var caddyOnly = []string{"github.com/caddyserver/", "go.uber.org/zap", "github.com/prometheus/", "github.com/spf13/"}

// imports reads the imports of every package, test files left out, from the
// files themselves: `go list` in a test would be answered from a cache.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		pkg := path.Dir(file)
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(found[pkg], name) {
				found[pkg] = append(found[pkg], name)
			}
		}
	}
	if len(found) < 10 {
		t.Fatalf("only %d packages found below %s", len(found), root)
	}
	return found
}

func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// floorOf returns the number of a package's floor, -1 for none. The most exact
// entry counts.
func floorOf(pkg string) int {
	best, length := -1, -1
	for i, floor := range floors {
		for _, entry := range floor {
			prefix, below := strings.CutSuffix(entry, "/...")
			fits := pkg == entry || (below && strings.HasPrefix(pkg, prefix+"/"))
			if fits && len(prefix) > length {
				best, length = i, len(prefix)
			}
		}
	}
	return best
}

func TestImportsFallOneWay(t *testing.T) {
	for pkg, names := range imports(t) {
		own := floorOf(pkg)
		if own < 0 {
			t.Errorf("%s is on no floor: add it to the list above, as low as it can be", pkg)
			continue
		}
		for _, name := range names {
			other, ok := strings.CutPrefix(name, module+"/")
			if !ok {
				continue
			}
			if problem := wrongWay(pkg, own, other); problem != "" {
				t.Error(problem)
			}
		}
	}
}

func wrongWay(pkg string, own int, other string) string {
	floor := floorOf(other)
	if floor < own {
		return ""
	}
	allowed := slices.ContainsFunc(beside[pkg], func(p string) bool { return strings.HasPrefix(other, p) })
	if floor == own && allowed {
		return ""
	}
	return fmt.Sprintf("%s (floor %d) imports %s (floor %d)", pkg, own, other, floor)
}

func TestOnlyTheModuleAndTheProgramsKnowCaddy(t *testing.T) {
	for pkg, names := range imports(t) {
		if !strings.HasPrefix(pkg, "internal/") {
			continue
		}
		for _, name := range names {
			for _, banned := range caddyOnly {
				if strings.HasPrefix(name, banned) {
					t.Errorf("%s imports %s", pkg, name)
				}
			}
		}
	}
}

func TestTheSharedWordsStandOnTheStandardLibrary(t *testing.T) {
	for _, name := range imports(t)["internal/auth"] {
		if strings.Contains(strings.Split(name, "/")[0], ".") {
			t.Errorf("internal/auth imports %s", name)
		}
	}
}

// A dialect knows the session service and its own wire format.
func TestADialectKnowsNoStoreClockLoggerOrOtherDialect(t *testing.T) {
	allowed := []string{"internal/auth", "internal/bearer", "internal/session", "internal/dialect", "internal/token"}
	for pkg, names := range imports(t) {
		if !strings.HasPrefix(pkg, "internal/dialect/") || pkg == "internal/dialect/table" {
			continue
		}
		for _, name := range names {
			other, ours := strings.CutPrefix(name, module+"/")
			if ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s", pkg, other)
			}
			if name == "log" || name == "log/slog" {
				t.Errorf("%s imports %s: a dialect does not log", pkg, name)
			}
		}
	}
}
