package caddymodule

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// requestLoggers are Caddy's loggers that show requests. The access log's own
// names stand below the first.
var requestLoggers = []string{"http.log.access", "http.log.error", "http.handlers.reverse_proxy"}

// showingLogs returns those of loggers that some configured log would let show
// what carrier marks, e.g. a [markedRequest]. It asks the logs' own encoders to
// encode it and writes nothing; so any way to hide a credential counts, ours or
// another.
func showingLogs(ctx caddy.Context, loggers []string, carrier []zapcore.Field) []string {
	return slices.DeleteFunc(slices.Clone(loggers), func(id string) bool {
		core := ctx.Logger(loggerID(id)).Core()
		if !core.Enabled(showsRequestsAt(id)) {
			return true
		}
		probe := &leakProbe{carrier: carrier}
		core.With([]zapcore.Field{zap.Inline(probe)})
		return !probe.leaks
	})
}

// showsRequestsAt is the level at which a logger shows whole requests: the
// HTTP logs at any, everybody else for debugging only.
func showsRequestsAt(id string) zapcore.Level {
	if strings.HasPrefix(id, "http.log.") {
		return zapcore.ErrorLevel
	}
	return zapcore.DebugLevel
}

// leakMark stands in the place of each credential.
const leakMark = "gatehouse-leak-probe"

// markedRequest is a request with these credentials. openly is Caddy's option
// log_credentials, which shows the fields that Caddy hides by itself.
func markedRequest(headers, params []string, openly bool) []zapcore.Field {
	header, query := http.Header{}, url.Values{}
	for _, name := range headers {
		header.Set(name, leakMark)
	}
	for _, name := range params {
		query.Set(name, leakMark)
	}
	target := "/?" + query.Encode()
	r := &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", RequestURI: target, Header: header}
	r.Header.Set("Referer", "https://localhost"+target)
	return []zapcore.Field{zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r, ShouldLogCredentials: openly})}
}

// leakProbe is a log field that looks at the encoder it is added to.
type leakProbe struct {
	carrier []zapcore.Field
	leaks   bool
}

// MarshalLogObject lets a copy of the encoder encode the marked request.
func (p *leakProbe) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	encoder, ok := enc.(zapcore.Encoder)
	if !ok {
		p.leaks = true // nothing is known about it
		return nil
	}
	line, err := encoder.Clone().EncodeEntry(zapcore.Entry{Level: zapcore.ErrorLevel}, p.carrier)
	if err != nil {
		p.leaks = true
		return nil
	}
	defer line.Free()
	p.leaks = p.leaks || bytes.Contains(line.Bytes(), []byte(leakMark))
	return nil
}

// loggerID is a logger's name in the form in which Caddy asks for it.
type loggerID string

// CaddyModule returns an ID and nothing that could be loaded.
func (id loggerID) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(id)}
}
