package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is where a file has stopped being one idea.
const maxLines = 450

func TestNoFileIsTooLong(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", file, n, maxLines)
		}
	}
}

// A test that sleeps is slow on one machine and flaky on another.
func TestNoTestSleeps(t *testing.T) {
	banned := "time." + "Sleep("
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), banned) {
			t.Errorf("%s sleeps: wait for what it waits for, or use testing/synctest", file)
		}
	}
}
