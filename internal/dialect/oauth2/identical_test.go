package oauth2_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
)

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

// alike fails the test unless all answers named are the same, byte for byte,
// fields included.
func alike(t *testing.T, answers map[string]string, first string, others ...string) {
	t.Helper()
	want := answers[first]
	if want == "" {
		t.Fatalf("the transcript lacks %q", first)
	}
	for _, name := range others {
		t.Run(name+" reads as "+first, func(t *testing.T) {
			if got := answers[name]; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestFailedClientsAreIdentical, whichever way they authenticate and wherever
// they do. That they cost the same is a test of package session.
func TestFailedClientsAreIdentical(t *testing.T) {
	answers := responses(t, "client_failures")
	var others []string
	for _, how := range []string{"by Basic", "in the body"} {
		for _, cause := range []string{
			"an unknown client", "a wrong secret", "a revoked key", "an expired key", "a disabled account",
			"an address off the allow-list", "a client that left its tenant",
		} {
			others = append(others, cause+", "+how)
		}
	}
	for _, where := range []string{"introspection", "revocation"} {
		others = append(others, "an unknown client, at the "+where, "a wrong secret, at the "+where)
	}
	alike(t, answers, "an unknown client, by Basic", others...)
}

func TestRefusedRefreshTokensAreIdentical(t *testing.T) {
	alike(t, responses(t, "refresh_token"), "an unknown refresh token", "a refresh token that was used",
		"a refresh token that has expired", "a refresh token of another client", "a refresh token of a client whose roles changed")
}

func TestRefusedTokensAreIdentical(t *testing.T) {
	alike(t, responses(t, "guard"), "an unknown token", "an expired token", "a revoked token",
		"a token of a disabled account", "an address off the allow-list")
}

// TestNoAnswerShowsACause of ours, or what a client sent.
func TestNoAnswerShowsACause(t *testing.T) {
	for _, path := range dialecttest.Files(t) {
		for _, e := range dialecttest.Load(t, path).Exchanges {
			for _, secret := range []string{"boom", "select", "disk", "api_key0of0the0client00"} {
				if strings.Contains(e.Response, secret) {
					t.Errorf("%s: %s: %q is answered", path, e.Name, secret)
				}
			}
		}
	}
}
