package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// attackLine is a line of the lists in docs/security.md.
	attackLine = regexp.MustCompile(`^\| ([A-Z]\d{1,2}) \| (.+) \| (.+) \|$`)
	testName   = regexp.MustCompile(`\bTest[A-Z]\w*`)
	// attackTest is a test that is named after attacks, and attackID one of
	// their ids in its name.
	attackTest = regexp.MustCompile(`(?m)^func (Test((?:[A-Z]\d{1,2})+)[A-Z]\w*)\(`)
	attackID   = regexp.MustCompile(`[A-Z]\d{1,2}`)
)

// TestEveryAttackHasItsTest holds docs/security.md and the tests against each
// other: each line names a test that exists, a command or why there is none, and
// each test that is named after an attack stands in the line of that attack.
func TestEveryAttackHasItsTest(t *testing.T) {
	tests := attackTests(t)
	listed := attacksListed(t)
	if len(listed) < 100 {
		t.Fatalf("only %d attacks are listed", len(listed))
	}
	for id, line := range listed {
		names := testName.FindAllString(line.tests, -1)
		byHand := strings.HasPrefix(line.tests, "`go run ")
		if len(names) == 0 && !byHand && !strings.HasPrefix(line.what, "does not apply: ") {
			t.Errorf("%s names no test", id)
		}
		for _, name := range names {
			if _, ok := tests.all[name]; !ok {
				t.Errorf("%s: there is no %s", id, name)
			}
		}
	}
	for name, ids := range tests.named {
		for _, id := range ids {
			if !strings.Contains(listed[id].tests, name) {
				t.Errorf("%s is named after %s, whose line does not name it", name, id)
			}
		}
	}
}

type attack struct{ what, tests string }

func attacksListed(t *testing.T) map[string]attack {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]attack{}
	for line := range strings.Lines(string(text)) {
		m := attackLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		if _, twice := found[m[1]]; twice {
			t.Errorf("%s is listed twice", m[1])
		}
		found[m[1]] = attack{m[2], m[3]}
	}
	return found
}

type testsFound struct {
	all map[string]struct{}
	// named are those in package caddymodule that are named after attacks.
	named map[string][]string
}

func attackTests(t *testing.T) testsFound {
	t.Helper()
	found := testsFound{map[string]struct{}{}, map[string][]string{}}
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			found.all[m[1]] = struct{}{}
		}
		if !strings.HasPrefix(file, "caddymodule/") {
			continue
		}
		for _, m := range attackTest.FindAllStringSubmatch(string(text), -1) {
			found.named[m[1]] = attackID.FindAllString(m[2], -1)
		}
	}
	return found
}
