package entitytoken_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
)

func responses(t *testing.T, file string) map[string]string {
	t.Helper()
	answers := map[string]string{}
	for _, e := range dialecttest.Load(t, filepath.Join("testdata", file+".txtar")).Exchanges {
		answers[e.Name] = e.Response
	}
	return answers
}

// TestBadCallersAreIdentical: whatever is wrong, save for a genuine user token
// that has expired.
func TestBadCallersAreIdentical(t *testing.T) {
	for file, causes := range map[string][]string{
		"credentials": {
			"a key of nobody", "a revoked key", "an expired key", "a user of nobody", "a token of another user", "a token of nobody",
			"a disabled user", "an address off the list", "no key", "no user", "no token", "an entity token in place of user and token",
		},
		"guard": {"a bad one", "parts that disagree", "a revoked one", "a disabled account", "an address off the list", "an expired key", "an expired entity token"},
	} {
		answers := responses(t, file)
		want := answers[causes[0]]
		for _, cause := range causes {
			if got := answers[cause]; want == "" || got != want {
				t.Errorf("%s: %s is answered\n%s\nand %s\n%s", file, cause, got, causes[0], want)
			}
		}
		if expired := answers["an expired user token"]; expired == want || !strings.Contains(expired, `"userTokenExpired":true,"loginAgain":true`) {
			t.Errorf("%s: an expired user token is answered\n%s", file, expired)
		}
	}
}

// TestNobodyLearnsWhichEntitiesAndUsersExist who may not have their tokens.
func TestNobodyLearnsWhichEntitiesAndUsersExist(t *testing.T) {
	answers := responses(t, "failures")
	foreign := answers["a foreign entity"]
	for _, cause := range []string{"an entity that does not exist", "another user, to no admin"} {
		if answers[cause] != foreign || foreign == "" {
			t.Errorf("%s is answered\n%s\nand a foreign entity\n%s", cause, answers[cause], foreign)
		}
	}
}

func TestEveryAnswerHasABodyAndNoCause(t *testing.T) {
	for _, path := range dialecttest.Files(t) {
		for _, e := range dialecttest.Load(t, path).Exchanges {
			head, body, _ := strings.Cut(e.Response, "\n\n")
			if strings.Contains(e.Response, "secret") || strings.Contains(body, "script") {
				t.Errorf("%s: %q shows what it must not:\n%s", path, e.Name, e.Response)
			}
			preflight := strings.HasPrefix(head, "HTTP/1.1 204") && strings.HasPrefix(e.Request, "OPTIONS ")
			if !strings.HasPrefix(body, `{"success":`) && !preflight && !strings.HasPrefix(e.Request, "HEAD ") {
				t.Errorf("%s: %q is answered %q", path, e.Name, body)
			}
			if !strings.Contains(head, "Cache-Control: no-store") {
				t.Errorf("%s: %q may be cached", path, e.Name)
			}
			if challenged := strings.Contains(head, "Www-Authenticate: "); strings.HasPrefix(head, "HTTP/1.1 401") && !challenged {
				t.Errorf("%s: %q is a 401 without a challenge", path, e.Name)
			}
		}
	}
}
