package timedlogin_test

import (
	"path/filepath"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
)

// The causes that tell a stranger which login names exist.
var causes = []string{"a disabled account", "a wrong key of a known login", "a revoked key", "an expired key"}

// By default all failed logins read alike, byte for byte, fields included.
func TestFailedLoginsAreIdentical(t *testing.T) {
	answers := responses(t, "failures")
	for _, format := range []string{"", ", in XML"} {
		want := answers["an unknown login"+format]
		if want == "" {
			t.Fatal("the transcript lacks an unknown login")
		}
		for _, cause := range causes {
			t.Run(cause+format+" reads as an unknown login", func(t *testing.T) {
				if got := answers[cause+format]; got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// The option tells login and key apart, and nothing finer: a disabled account
// stays unknown, a revoked key reads as a wrong one.
func TestDistinctKeyErrorTellsLoginAndKeyApartOnly(t *testing.T) {
	plain, distinct := responses(t, "failures"), responses(t, "distinct-key-error")
	for _, format := range []string{"", ", in XML"} {
		unknown, wrong := distinct["an unknown login"+format], distinct["a wrong key of a known login"+format]
		for name, c := range map[string]struct{ got, want string }{
			"an unknown login is as without the option": {unknown, plain["an unknown login"+format]},
			"a disabled account is unknown":             {distinct["a disabled account"+format], unknown},
			"a revoked key is a wrong one":              {distinct["a revoked key"+format], wrong},
			"an expired key is a wrong one":             {distinct["an expired key"+format], wrong},
		} {
			t.Run(name+format, func(t *testing.T) {
				if c.want == "" || c.got != c.want {
					t.Errorf("got\n%s\nwant\n%s", c.got, c.want)
				}
			})
		}
		if unknown == wrong {
			t.Errorf("the option changes nothing%s", format)
		}
	}
}

// Of a token, unknown and revoked read alike; only a genuine one is expired.
func TestUnknownAndRevokedTokensAreIdentical(t *testing.T) {
	answers := responses(t, "refusals")
	for _, format := range []string{"", ", in XML"} {
		want := answers["an unknown token"+format]
		for _, cause := range []string{"a revoked token", "a token of a disabled account"} {
			if got := answers[cause+format]; want == "" || got != want {
				t.Errorf("%s%s: got\n%s\nwant\n%s", cause, format, got, want)
			}
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
		byName[e.Name] = e.Response
	}
	return byName
}
