package logintoken

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

var _ Service = (*session.Service)(nil)

func TestKind(t *testing.T) {
	k := Kind()
	if k.Name != "login_token" || k.Base != "/login-token" || k.TTL != 10*time.Minute {
		t.Errorf("Kind = %s at %s for %v", k.Name, k.Base, k.TTL)
	}
	for _, spec := range k.Credentials(dialect.Config{}) {
		if err := spec.Check(); err != nil || !spec.Lenient || !spec.Keys {
			t.Errorf("reads %+v: %v", spec, err)
		}
	}
	for _, shared := range []string{"idle", "format"} {
		if k.Refused[shared] == "" {
			t.Errorf("%s is not refused", shared)
		}
	}
	if _, err := k.New(config(t, ""), session.New(&session.Deps{}, session.Config{})); err != nil {
		t.Error(err)
	}
}

func TestSessionsLiveAsConfigured(t *testing.T) {
	for options, want := range map[string]session.Config{
		"":                                    {TTL: 720 * time.Hour, LoginTokenTTL: 10 * time.Minute, MaxTTL: 24 * time.Hour},
		"ttl 1h":                              {TTL: 720 * time.Hour, LoginTokenTTL: time.Hour, MaxTTL: 24 * time.Hour},
		"access_ttl 1h\nmax_ttl 48h\nttl 30h": {TTL: time.Hour, LoginTokenTTL: 30 * time.Hour, MaxTTL: 48 * time.Hour},
	} {
		cfg := config(t, options)
		got := session.Config{TTL: cfg.TTL}
		Kind().Session(cfg, &got)
		if !got.JWT || !got.Identity || !got.WholeSeconds || got.TTL != want.TTL || got.LoginTokenTTL != want.LoginTokenTTL || got.MaxTTL != want.MaxTTL {
			t.Errorf("%q: %+v", options, got)
		}
	}
}

func TestOptionsRefuseWhatTheyCannotMean(t *testing.T) {
	bad := map[string][][]string{
		"methods":             {{}, {"update"}, {"create", "create"}, {"Create"}},
		"access_ttl":          {{}, {"1h", "2h"}, {"month"}, {"0s"}, {"-1h"}, {"1500ms"}, {"876000h"}},
		"max_ttl":             {{}, {"x"}, {"0s"}},
		"client_url":          {{}, {"a", "b"}, {"client.example.com"}, {"ftp://a"}, {"https://"}, {"https://a?b"}, {"https://a#b"}, {"https://u:p@a"}, {"javascript:alert(1)"}, {":"}},
		"login_path":          {{}, {"/a", "/b"}, {"login"}, {"/"}, {"/a/"}, {"/a//b"}, {"/a/../b"}, {"/%61"}, {"/a?b"}, {"/a b"}, {"/é"}},
		"authentication_path": {{}, {""}, {"auth"}, {"/"}},
	}
	for _, o := range Kind().Options {
		if len(bad[o.Name]) == 0 {
			t.Errorf("%s is not tried", o.Name)
		}
		for _, args := range bad[o.Name] {
			if o.Check(args) == nil {
				t.Errorf("%s %q passed", o.Name, args)
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	for options, want := range map[string]string{
		"":                         "/login-token /login /authentication",
		"base /api/v1/login-token": "/api/v1/login-token /api/v1/login /api/v1/authentication",
		"base /x\nlogin_path /a/b\nauthentication_path /c": "/x /a/b /c",
	} {
		var got []string
		for _, r := range newAPI(t, options, newFake(t, "")).Routes() {
			if r.Fold || r.Exact {
				t.Errorf("%+v", r)
			}
			got = append(got, r.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", options, got, want)
		}
	}
}

func TestConfigurationsThatContradictThemselves(t *testing.T) {
	for name, options := range map[string]string{
		"a path that is another's":       "login_path /login-token",
		"a path below another":           "login_path /authentication/login",
		"a base path above another":      "base /login",
		"a base path that is everything": "base /",
		"a life longer than the longest": "ttl 25h",
		"a life of less than dates say":  "ttl 500ms",
		"a life that dates do not say":   "ttl 1500ms",
		"a longest life below the usual": "max_ttl 5m",
		"an origin that is none":         "cors null",
	} {
		if d, err := New(config(t, options), newFake(t, "")); err == nil {
			t.Errorf("%s: %v", name, d.Routes())
		}
	}
}
