package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#+ (.*)$`)
	// unspoken is what an anchor leaves out of its heading.
	unspoken = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestEveryLinkLeadsSomewhere follows those from page to page, to the heading.
// Lints and tests name pages too, in their text, and are held to it elsewhere.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	pages := pagesRead(t)
	followed := 0
	for path, p := range pages {
		for _, target := range p.links {
			followed++
			file, anchor, _ := strings.Cut(target, "#")
			at := path
			if file != "" {
				at = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join(root, at)); err != nil {
				t.Errorf("%s: nothing is at %s", path, target)
				continue
			}
			if there, ok := pages[at]; ok && anchor != "" && !there.anchors[anchor] {
				t.Errorf("%s: %s has no such heading", path, target)
			}
		}
	}
	if followed < 100 {
		t.Errorf("only %d links were found", followed)
	}
}

type page struct {
	links   []string
	anchors map[string]bool
}

func pagesRead(t *testing.T) map[string]page {
	t.Helper()
	found := map[string]page{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			if err == nil && d.IsDir() && d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		found[name] = pageOf(string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func pageOf(text string) page {
	p := page{anchors: map[string]bool{}}
	code := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if code {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(m[1], "://") {
				p.links = append(p.links, m[1])
			}
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			p.anchors[strings.ReplaceAll(strings.ToLower(unspoken.ReplaceAllString(m[1], "")), " ", "-")] = true
		}
	}
	return p
}
