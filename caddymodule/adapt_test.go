package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// TestAdapt reads archives whose sections come in pairs: `<case>.caddyfile`
// and what Caddy makes of it, either `<case>.json` or `<case>.error`.
func TestAdapt(t *testing.T) {
	paths, err := filepath.Glob("testdata/adapt/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { adaptArchive(t, path) })
	}
}

func adaptArchive(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	result := &txtar.Archive{Comment: archive.Comment}
	for i, file := range archive.Files {
		name, ok := strings.CutSuffix(file.Name, ".caddyfile")
		if !ok {
			continue
		}
		var want txtar.File
		if i+1 < len(archive.Files) && !strings.HasSuffix(archive.Files[i+1].Name, ".caddyfile") {
			want = archive.Files[i+1]
		}
		got := adapted(name, file.Data)
		result.Files = append(result.Files, file, got)
		t.Run(name, func(t *testing.T) {
			if !*update && (want.Name != got.Name || !bytes.Equal(want.Data, got.Data)) {
				t.Errorf("got %s:\n%s\nwant %s:\n%s", got.Name, got.Data, want.Name, want.Data)
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(result), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// adapted returns what becomes of a Caddyfile, as a section.
func adapted(name string, body []byte) txtar.File {
	out, warnings, err := adapt(body)
	if err != nil {
		return txtar.File{Name: name + ".error", Data: []byte(err.Error() + "\n")}
	}
	var text bytes.Buffer
	for _, w := range warnings {
		text.WriteString("# " + w.String() + "\n")
	}
	if err := json.Indent(&text, out, "", "  "); err != nil {
		return txtar.File{Name: name + ".error", Data: []byte(err.Error() + "\n")}
	}
	return txtar.File{Name: name + ".json", Data: append(text.Bytes(), '\n')}
}

func adapt(body []byte) ([]byte, []caddyconfig.Warning, error) {
	out, all, err := caddyconfig.GetAdapter("caddyfile").Adapt(body, map[string]any{"filename": "Caddyfile"})
	var warnings []caddyconfig.Warning
	for _, w := range all {
		if !strings.Contains(w.Message, "not formatted") {
			warnings = append(warnings, w)
		}
	}
	return out, warnings, err
}

// hasPlace finds the place that every error of ours names.
var hasPlace = regexp.MustCompile(`at Caddyfile:\d+`)

func FuzzCaddyfile(f *testing.F) {
	paths, err := filepath.Glob("testdata/adapt/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for i, file := range archive.Files { // those that are fine: one mutation away from an error
			_, block, ok := strings.Cut(string(file.Data), "gatehouse {\n")
			if ok && i+1 < len(archive.Files) && strings.HasSuffix(archive.Files[i+1].Name, ".json") {
				f.Add(block[:strings.LastIndexByte(block, '}')])
			}
		}
	}
	f.Fuzz(func(t *testing.T, block string) {
		if strings.Contains(block, "import") || strings.Contains(block, "{$") {
			t.Skip("reads files and the environment")
		}
		body := "api.example.com {\n\tgatehouse {\n" + block + "\n\t}\n}\n"
		out, _, err := adapt([]byte(body))
		switch {
		case err != nil && strings.Contains(err.Error(), "parsing caddyfile tokens for 'gatehouse'") &&
			!hasPlace.MatchString(err.Error()):
			t.Errorf("an error without a place: %v", err)
		case err == nil && !json.Valid(out):
			t.Errorf("no JSON: %q", out)
		}
	})
}
