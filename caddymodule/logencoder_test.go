package caddymodule

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// planted is the secret of every test about logs.
const planted = "5e0f3c52a1b84d6c"

func newTestEncoder(t *testing.T, wrap string) *LogEncoder {
	t.Helper()
	e := &LogEncoder{Headers: []string{"X-Licence-Key"}, Query: []string{"licence"}}
	if wrap != "" {
		e.WrappedRaw = json.RawMessage(wrap)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := e.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return e
}

// encode returns the line that an encoder makes.
func encode(t *testing.T, e zapcore.Encoder, msg string, fields ...zapcore.Field) string {
	t.Helper()
	line, err := e.EncodeEntry(zapcore.Entry{Message: msg, LoggerName: "http.log.access"}, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer line.Free()
	return line.String()
}

func plantedRequest() caddyhttp.LoggableHTTPRequest {
	h := http.Header{"Accept": {"text/html"}, "Referer": {"https://a.example/?access_token=" + planted}}
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Apikey", "Token", "Userid", "X-Licence-Key", "X_api.key"} {
		h[name] = []string{planted, "more " + planted}
	}
	return caddyhttp.LoggableHTTPRequest{
		Request:              &http.Request{Method: "GET", RequestURI: "/a?page=2&Token=" + planted + "&licence=" + planted, Header: h},
		ShouldLogCredentials: true,
	}
}

// plantedFields hold the secret in every way that zap can hold one.
func plantedFields() []zapcore.Field {
	type reflected struct {
		Authorization string
		Nested        []map[string]any
	}
	header := http.Header{"X-Api-Key": {planted}, "Location": {"/?token=" + planted}}
	return []zapcore.Field{
		zap.Object("request", plantedRequest()),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: header, ShouldLogCredentials: true}),
		zap.Inline(caddyhttp.LoggableHTTPHeader{Header: header, ShouldLogCredentials: true}),
		zap.Reflect("headers", header),
		zap.Any("module", reflected{planted, []map[string]any{{"token": planted, "n": 9007199254740993, "uri": "?token=" + planted}}}),
		zap.String("uri", "/a?token="+planted),
		zap.String("x-api-key", planted),
		zap.ByteString("target", []byte("/a?token="+planted)),
		zap.ByteString("token", []byte(planted)),
		zap.Binary("password", []byte(planted)),
		zap.Strings("urls", []string{"/a?token=" + planted, "https://" + planted + "@a.example/"}),
		zap.ByteStrings("targets", [][]byte{[]byte("/a?token=" + planted)}),
		zap.Objects("requests", []caddyhttp.LoggableHTTPRequest{plantedRequest()}),
		zap.Array("lists", lists{"/a?token=" + planted}),
		zap.Error(errors.New("bad target /a?token=" + planted)),
		zap.Stringer("stringer", &url.URL{Path: "/", RawQuery: "token=" + planted}),
		zap.Reflect("cookie", map[string]string{"session": planted}),
		zap.Object("authorization", plantedRequest()),
		zap.Namespace("env"),
		zap.String("HTTP_X_API_KEY", planted),
		zap.String("QUERY_STRING", "token="+planted),
	}
}

// lists is an array of an array, an object and a reflected value.
type lists []string

func (l lists) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	return errors.Join(
		enc.AppendArray(zapcore.ArrayMarshalerFunc(func(enc zapcore.ArrayEncoder) error {
			enc.AppendString(l[0])
			return nil
		})),
		enc.AppendObject(plantedRequest()),
		enc.AppendReflected(map[string]string{"token": planted}),
	)
}

func TestLogEncoder(t *testing.T) {
	for _, wrap := range []string{
		"", `{"format":"json"}`, `{"format":"console"}`, `{"format":"filter"}`,
		`{"format":"append","fields":{"server":"a"}}`, `{"format":"filter","wrap":{"format":"gatehouse"}}`,
	} {
		t.Run("no secret comes out of format "+wrap, func(t *testing.T) {
			e := newTestEncoder(t, wrap)
			for _, f := range plantedFields() {
				if line := encode(t, e, "m", f); strings.Contains(line, planted) || strings.Contains(line, "NWUwZjNj") {
					t.Errorf("field %s: %s", f.Key, line)
				}
			}
			with := e.Clone()
			for _, f := range plantedFields() { // as a logger's With does
				f.AddTo(with)
			}
			if line := encode(t, with, "GET /?token="+planted, plantedFields()...); strings.Contains(line, planted) {
				t.Error(line)
			}
		})
	}
}

func TestLogEncoderInsideAFilter(t *testing.T) {
	f := &logging.FilterEncoder{WrappedRaw: json.RawMessage(`{"format":"gatehouse"}`)}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := f.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	r := plantedRequest()
	r.Header.Del("X-Licence-Key")
	r.RequestURI = "/?token=" + planted
	if line := encode(t, f, "m", zap.Object("request", r)); strings.Contains(line, planted) {
		t.Error(line)
	}
}

func TestLogEncoderKeepsTheRest(t *testing.T) {
	e := newTestEncoder(t, "")
	line := encode(t, e, "handled request", zap.Object("request", plantedRequest()), zap.Int("status", 200),
		zap.Duration("duration", time.Second), zap.Any("module", map[string]any{"n": 9007199254740993}),
		zap.Float64("nan", math.NaN()), zap.Reflect("no JSON", func() {}))
	var got struct {
		Msg     string `json:"msg"`
		Logger  string `json:"logger"`
		Status  int    `json:"status"`
		Request struct {
			URI     string              `json:"uri"`
			Headers map[string][]string `json:"headers"`
		} `json:"request"`
		Module map[string]json.Number `json:"module"`
		NoJSON string                 `json:"no JSON"`
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for _, c := range []struct{ what, got, want string }{
		{"message", got.Msg, "handled request"},
		{"logger", got.Logger, "http.log.access"},
		{"URI", got.Request.URI, "/a?page=2&Token=" + auth.Redacted + "&licence=" + auth.Redacted},
		{"Accept", strings.Join(got.Request.Headers["Accept"], "|"), "text/html"},
		{"X-Licence-Key", strings.Join(got.Request.Headers["X-Licence-Key"], "|"), auth.Redacted},
		{"Referer", strings.Join(got.Request.Headers["Referer"], "|"), "https://a.example/?access_token=" + auth.Redacted},
		{"big number", got.Module["n"].String(), "9007199254740993"},
		{"value that is no JSON", got.NoJSON, auth.Redacted},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
		}
	}
	if got.Status != 200 {
		t.Errorf("status = %d", got.Status)
	}
}

func TestLogEncoderEntriesDoNotRunTogether(t *testing.T) {
	e := newTestEncoder(t, "")
	encode(t, e, "one", zap.String("only_in_one", "x"))
	if line := encode(t, e, "two"); strings.Contains(line, "only_in_one") {
		t.Error(line)
	}
	clone := e.Clone()
	clone.AddString("only_in_clone", "x")
	if line := encode(t, e, "three"); strings.Contains(line, "only_in_clone") {
		t.Error(line)
	}
}

func TestLogEncoderRefusesAFormatThatDoesNotExist(t *testing.T) {
	e := &LogEncoder{WrappedRaw: json.RawMessage(`{"format":"xml"}`)}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := e.Provision(ctx); err == nil {
		t.Error("accepted")
	}
}

func BenchmarkLogEncoder(b *testing.B) {
	r := zap.Object("request", plantedRequest())
	plain := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	ours := new(LogEncoder)
	ours.wrap(plain, new(redactor))
	for name, e := range map[string]zapcore.Encoder{"json": plain, "gatehouse": ours} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				line, err := e.EncodeEntry(zapcore.Entry{Message: "handled request"}, []zapcore.Field{r})
				if err != nil {
					b.Fatal(err)
				}
				line.Free()
			}
		})
	}
}
