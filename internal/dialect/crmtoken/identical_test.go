package crmtoken_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
)

// Failed logins read alike, byte for byte, fields included: whatever was wrong,
// and by each way to log in. That they cost the same work is asserted where it
// is done, in package session.
func TestFailedLoginsAreIdentical(t *testing.T) {
	for _, file := range []string{"failed", "failed-http-errors"} {
		answers := responses(t, file)
		alike(t, file, answers["an unknown user"], answers, []string{
			"a wrong password", "a disabled account", "an unknown organisation or unit, or no member", "an address off the allow-list",
			"an unknown user, by identifier", "a wrong password, by identifier", "a disabled account, by identifier",
			"an unknown organisation or unit, or no member, by identifier", "an address off the allow-list, by identifier",
			"an unknown user, by code", "a wrong password, by code", "a disabled account, by code",
			"an unknown organisation or unit, or no member, by code", "an address off the allow-list, by code",
		})
		alike(t, file, answers["an unknown key"], answers, []string{
			"a revoked key", "an expired key", "a key of no organisation, or an unknown unit", "a key of a disabled account", "a key off its allow-list",
		})
	}
}

// A token of a later call is unknown, withdrawn or of somebody who is out: the
// answer does not tell which. A genuine one that has expired is told apart.
func TestRefusedTokensAreIdentical(t *testing.T) {
	for _, file := range []string{"refusals", "refusals-http-errors"} {
		answers := responses(t, file)
		want := answers["an unknown token"]
		alike(t, file, want, answers, []string{
			"a released or withdrawn token", "a token of a disabled account", "a token of a former member", "a forged JWT",
			"an address off the allow-list", "a token of a key that has expired",
		})
		if answers["an expired token"] == want || !strings.Contains(answers["an expired token"], `"TOKEN_EXPIRED"`) {
			t.Errorf("an expired token reads as any other")
		}
	}
}

func alike(t *testing.T, file, want string, answers map[string]string, causes []string) {
	t.Helper()
	if want == "" {
		t.Fatalf("%s lacks what all others are held against", file)
	}
	for _, cause := range causes {
		t.Run(file+": "+cause, func(t *testing.T) {
			if got := answers[cause]; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// With http_errors the status and its challenge change, and nothing of the body.
func TestTheOptionHTTPErrorsLeavesTheBodyAsItIs(t *testing.T) {
	for _, file := range []string{"malformed", "failed", "key-malformed", "release", "refusals"} {
		plain, statuses := responses(t, file), responses(t, file+"-http-errors")
		for name, want := range plain {
			_, want, _ := strings.Cut(want, "\n\n")
			_, got, _ := strings.Cut(statuses[name], "\n\n")
			if got != want || got == "" {
				t.Errorf("%s, %s: got\n%s\nwant\n%s", file, name, got, want)
			}
			if ok := strings.Contains(got, `"code":"OK"`); ok != strings.HasPrefix(statuses[name], "HTTP/1.1 200 ") {
				t.Errorf("%s, %s: answered\n%s", file, name, statuses[name])
			}
		}
		if len(plain) != len(statuses) {
			t.Errorf("%s: %d exchanges, and %d", file, len(plain), len(statuses))
		}
	}
}

// responses returns the responses of a transcript by the names of their
// exchanges. They are what the dialect answers: TestTranscripts holds it to
// them.
func responses(t *testing.T, name string) map[string]string {
	t.Helper()
	byName := map[string]string{}
	for _, e := range dialecttest.Load(t, filepath.Join("testdata", name+".txtar")).Exchanges {
		if byName[e.Name] != "" {
			t.Errorf("%s: two exchanges are named %q", name, e.Name)
		}
		byName[e.Name] = e.Response
	}
	return byName
}
