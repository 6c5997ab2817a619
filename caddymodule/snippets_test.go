package caddymodule

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryCaddyfileOfTheDocumentationIsOne has what stands between ```caddyfile
// and ``` on any page typed as it stands. A block of options alone is put where
// they belong; what shows a grammar is no such block.
func TestEveryCaddyfileOfTheDocumentationIsOne(t *testing.T) {
	read := 0
	for _, page := range markdown(t, "..") {
		for _, s := range snippets(t, page) {
			read++
			out, warnings, err := adapt([]byte(s.whole()))
			if err != nil {
				t.Errorf("%s:%d: %v", page, s.line, err)
			}
			for _, w := range warnings {
				t.Errorf("%s:%d: %s", page, s.line, w)
			}
			if len(out) == 0 && err == nil {
				t.Errorf("%s:%d: it says nothing", page, s.line)
			}
		}
	}
	if read < 30 {
		t.Errorf("%d Caddyfiles were found: where are the others?", read)
	}
}

// markdown returns the pages below a folder.
func markdown(t *testing.T, root string) (pages []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// snippet is a Caddyfile on a page.
type snippet struct {
	line int
	text string
}

func snippets(t *testing.T, page string) (found []snippet) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for i, line := range strings.Split(string(text), "\n") {
		switch fence := strings.TrimSpace(line); {
		case fence == "```caddyfile":
			inside = true
			found = append(found, snippet{line: i + 1})
		case strings.HasPrefix(fence, "```"):
			inside = false
		case inside:
			found[len(found)-1].text += line + "\n"
		}
	}
	return found
}

// whole returns a snippet as a Caddyfile.
func (s snippet) whole() string {
	first := strings.Fields(s.text + " .")[0]
	switch {
	case slices.Contains([]string{"store", "sessions", "key_ring", "max_staleness", "grace"}, first):
		return fmt.Sprintf("{\n\tgatehouse {\n%s\t}\n}\n", s.text)
	case slices.Contains([]string{"login", "accept", "trust", "public", "require", "identity", "rate", "paths"}, first):
		return fmt.Sprintf("api.example.com {\n\tgatehouse {\n%s\t}\n}\n", s.text)
	case first == "gatehouse":
		return fmt.Sprintf("api.example.com {\n%s}\n", s.text)
	}
	return s.text
}
