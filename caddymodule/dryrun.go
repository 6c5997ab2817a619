package caddymodule

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// dryRun is a configuration whose routes, guards and logs are built and which
// does nothing: no address is listened on, no store is opened, no log written
// and no upstream known. Handlers that could do anything are replaced by a
// [standIn].
type dryRun struct {
	ctx caddy.Context
	app *App
	// http is nil where the configuration serves no HTTP.
	http *caddyhttp.App
}

// tryOut builds a configuration in Caddy's own JSON, has do look at it, and lets
// go of everything. Without its store that is left out, and with it the files
// and variables that it may need. An error of do is returned as it is.
func tryOut(body []byte, withStore bool, do func(*dryRun) error) error {
	registerStandIns()
	text, err := inert(body, withStore)
	if err != nil {
		return err
	}
	var cfg caddy.Config
	if err := caddy.StrictUnmarshalJSON(text, &cfg); err != nil {
		return fmt.Errorf("this is no configuration of Caddy: %w", err)
	}
	onlooking.Lock()
	defer onlooking.Unlock()
	var result error
	onlooking.do = func(d *dryRun) { result = do(d) }
	caddy.BufferedLog() // or Caddy would say on standard error that the log moves
	return cmp.Or(caddy.Validate(&cfg), result)
}

// onlooking is what the [onlooker] that is built next does; one at a time.
var onlooking struct {
	sync.Mutex
	do func(*dryRun)
}

// onlooker is an app that looks at the others once they are built. Caddy builds
// what it only validates and lets go of it in one call: this is where somebody
// can look.
type onlooker struct{}

// CaddyModule returns the Caddy module information.
func (*onlooker) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: onlookerName, New: func() caddy.Module { return new(onlooker) }}
}

const onlookerName = "gatehouse_onlooker"

// Provision looks.
func (*onlooker) Provision(ctx caddy.Context) (err error) {
	d := &dryRun{ctx: ctx}
	if d.app, err = appOf(ctx); err != nil {
		return err
	}
	v, err := ctx.AppIfConfigured("http")
	if err != nil && !errors.Is(err, caddy.ErrNotConfigured) {
		return nil //nolint:nilerr // Caddy comes to that app itself, and says the same without our name
	}
	d.http, _ = v.(*caddyhttp.App)
	onlooking.do(d)
	return nil
}

// Start does nothing.
func (*onlooker) Start() error { return nil }

// Stop does nothing.
func (*onlooker) Stop() error { return nil }

// inert returns a configuration without what acts: of the apps the two that
// are looked at, logs that are written nowhere, no admin endpoint, and a
// stand-in for each handler that is not known to be harmless.
func inert(body []byte, withStore bool) ([]byte, error) {
	doc, err := jsonObject(body)
	if err != nil {
		return nil, err
	}
	apps := map[string]any{}
	for _, name := range []string{"http", "gatehouse"} {
		if app, ok := childOf(doc, "apps")[name]; ok {
			apps[name] = app
		}
	}
	if !withStore {
		apps["gatehouse"] = map[string]any{}
	}
	apps[onlookerName] = map[string]any{}
	for _, server := range childOf(childOf(apps, "http"), "servers") {
		srv, _ := server.(map[string]any)
		replaceIn(srv["routes"])
		replaceIn(childOf(srv, "errors")["routes"])
		for _, named := range childOf(srv, "named_routes") {
			replaceIn([]any{named})
		}
	}
	quiet := map[string]any{"apps": apps, "admin": map[string]any{"disabled": true}, "logging": silenced(childOf(doc, "logging"))}
	if storage, ok := doc["storage"]; ok {
		quiet["storage"] = storage
	}
	return json.Marshal(quiet)
}

// jsonObject reads a JSON object and keeps its numbers as they are.
func jsonObject(body []byte) (doc map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("this is no configuration of Caddy: %w", err)
	}
	return doc, nil
}

// childOf returns a member that is an object, nil for none.
func childOf(doc map[string]any, name string) map[string]any {
	inner, _ := doc[name].(map[string]any)
	return inner
}

// silenced has every log written nowhere; what it would show stays as it is.
func silenced(logging map[string]any) map[string]any {
	logs := map[string]any{}
	for name, v := range childOf(logging, "logs") {
		l, _ := v.(map[string]any)
		logs[name] = silencedLog(l)
	}
	if logs["default"] == nil {
		logs["default"] = silencedLog(nil)
	}
	return map[string]any{"logs": logs}
}

func silencedLog(l map[string]any) map[string]any {
	quiet := map[string]any{"writer": map[string]any{"output": "gatehouse_nowhere"}}
	for _, name := range []string{"encoder", "level", "include", "exclude"} {
		if v, ok := l[name]; ok {
			quiet[name] = v
		}
	}
	if childOf(l, "writer")["output"] == "discard" { // shows nobody anything
		quiet["writer"] = map[string]any{"output": "discard"}
	}
	return quiet
}

// harmless are the handlers that change nothing but the request and its answer.
var harmless = []string{
	"authentication", "error", "gatehouse", "headers", "invoke", "map", "rewrite", "static_response", "subroute", "vars",
}

// replaceIn puts stand-ins into a list of routes, and a mark at the head of each.
func replaceIn(routes any) {
	list, _ := routes.([]any)
	for _, v := range list {
		route, ok := v.(map[string]any)
		if !ok {
			continue
		}
		handlers, _ := route["handle"].([]any)
		for i, h := range handlers {
			if handler, ok := h.(map[string]any); ok {
				handlers[i] = replaced(handler)
			}
		}
		if match := matchNames(route["match"]); len(match) > 0 {
			mark := map[string]any{"handler": standInName, "matched": match}
			route["handle"] = append([]any{mark}, handlers...)
		}
	}
}

func replaced(handler map[string]any) map[string]any {
	name, _ := handler["handler"].(string)
	if !slices.Contains(harmless, name) || name == "authentication" && !ownProviders(handler) {
		return map[string]any{"handler": standInName, "of": handler}
	}
	replaceIn(handler["routes"])
	replaceIn(childOf(handler, "errors")["routes"])
	return handler
}

// ownProviders reports whether nobody else is asked who calls.
func ownProviders(handler map[string]any) bool {
	for name := range childOf(handler, "providers") {
		if name != "gatehouse" && name != "http_basic" {
			return false
		}
	}
	return true
}

// nowhere is a log's output that ends there. Caddy's own would have it build no
// log at all, and nothing could be asked what it would show.
type nowhere struct{}

// CaddyModule returns the Caddy module information.
func (nowhere) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.gatehouse_nowhere", New: func() caddy.Module { return new(nowhere) }}
}

func (nowhere) String() string                      { return "nowhere" }
func (nowhere) WriterKey() string                   { return "gatehouse:nowhere" }
func (nowhere) OpenWriter() (io.WriteCloser, error) { return nowhere{}, nil }
func (nowhere) Write(line []byte) (int, error)      { return len(line), nil }
func (nowhere) Close() error                        { return nil }

// registerStandIns registers what only a dry run may name: a configuration that
// runs cannot.
var registerStandIns = sync.OnceFunc(func() {
	caddy.RegisterModule(nowhere{})
	caddy.RegisterModule(new(standIn))
	caddy.RegisterModule(new(onlooker))
})
