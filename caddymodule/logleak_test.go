package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// logContext provisions a configuration of Caddy's logging alone.
func logContext(t *testing.T, logs string) caddy.Context {
	t.Helper()
	var cfg caddy.Config
	if err := json.Unmarshal([]byte(`{"admin":{"disabled":true},"logging":{"logs":`+logs+`}}`), &cfg); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func TestShowingLogs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	writer := `"writer":{"output":"file","filename":` + quoted(file) + `}`
	plain, ours := `{`+writer+`}`, `{`+writer+`,"encoder":{"format":"gatehouse"}}`
	filtered := `{` + writer + `,"encoder":{"format":"filter","wrap":{"format":"json"},"fields":{
		"request>headers":{"filter":"delete"},"request>uri":{"filter":"delete"}}}}`
	nested := `{` + writer + `,"encoder":{"format":"filter","wrap":{"format":"gatehouse"}}}`
	debug := func(log string) string { return strings.Replace(log, "{", `{"level":"DEBUG",`, 1) }
	named := func(log, key string) string {
		return strings.Replace(log, "{", `{"`+key+`":["http.log.access.log0"],`, 1)
	}
	key, token := []string{"X-Api-Key"}, []string{"Token"}
	for _, c := range []struct {
		name, logs      string
		headers, params []string
		want            []string
	}{
		{"a plain log shows a key", `{"default":` + plain + `}`, key, nil, []string{"http.log.access", "http.log.error"}},
		{"a plain log shows a token in the query", `{"default":` + plain + `}`, nil, token, []string{"http.log.access", "http.log.error"}},
		{"a plain log for debugging shows it to the upstream too", `{"default":` + debug(plain) + `}`, key, nil, requestLoggers},
		{"Caddy itself hides Authorization", `{"default":` + plain + `}`, []string{"Authorization"}, nil, nil},
		{"our format hides everything", `{"default":` + debug(ours) + `}`, key, token, nil},
		{"our format inside a filter does", `{"default":` + nested + `}`, key, token, nil},
		{"another way to hide is as good", `{"default":` + filtered + `}`, key, token, nil},
		{"one of two logs is enough", `{"default":` + ours + `,"other":` + plain + `}`, key, nil, []string{"http.log.access", "http.log.error"}},
		{
			"an access log of its own is found, the rest is safe",
			`{"default":` + named(ours, "exclude") + `,"log0":` + named(plain, "include") + `}`,
			key, nil,
			[]string{"http.log.access"},
		},
		{
			"an access log of its own is safe, the rest is found",
			`{"default":` + named(plain, "exclude") + `,"log0":` + named(ours, "include") + `}`,
			key, nil,
			[]string{"http.log.access", "http.log.error"},
		},
		{"no log, no leak", `{"default":{"writer":{"output":"discard"}}}`, key, token, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := showingLogs(logContext(t, c.logs), requestLoggers, markedRequest(c.headers, c.params, false))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("an access log is asked by its own name", func(t *testing.T) {
		ctx := logContext(t, `{"default":`+named(plain, "exclude")+`,"log0":`+named(ours, "include")+`}`)
		if got := showingLogs(ctx, []string{"http.log.access.log0"}, markedRequest(key, nil, false)); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("nothing of it was written", func(t *testing.T) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), leakMark) {
			t.Errorf("%s", text)
		}
	})
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
