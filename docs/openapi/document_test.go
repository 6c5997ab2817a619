package openapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/gatehouse-auth/gatehouse/docs/openapi"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The responses by which a document describes what it has no operation for,
// with their status; a refusal's is at the end of its name.
var conventions = map[string]int{
	"UnknownPath": http.StatusNotFound,
	"WrongMethod": http.StatusMethodNotAllowed,
	"Preflight":   http.StatusNoContent,
}

// always lists fields that an answer may have without a word about them: the
// documents say in general what they mean.
var always = []string{
	"Content-Type", "Content-Length", "Cache-Control", "Pragma", "Vary", "X-Content-Type-Options",
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
}

// document is a document of a dialect, read by a validator.
type document struct {
	spec   *openapi3.T
	routes []dialect.Route
	// fold says that paths match in any case.
	fold bool
	// shown collects what exchanges have shown of it.
	shown map[string]bool
}

// specs are the documents that were read: reading one takes the validator
// longer than most exchanges.
var specs = map[string]*openapi3.T{}

func load(t testing.TB, k dialect.Kind, cfg dialect.Config) document {
	t.Helper()
	text, ok := openapi.At(k.Name, k.Moved(cfg))
	if !ok {
		t.Fatalf("there is no document of %s: write docs/openapi/%s.json", k.Name, k.Name)
	}
	return parse(t, k, cfg, text)
}

func parse(t testing.TB, k dialect.Kind, cfg dialect.Config, text []byte) document {
	t.Helper()
	spec := specs[string(text)]
	if spec == nil {
		var err error
		if spec, err = openapi3.NewLoader().LoadFromData(text); err != nil {
			t.Fatal(err)
		}
		specs[string(text)] = spec
	}
	d, err := k.New(cfg, session.New(&session.Deps{}, session.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	routes := d.Routes()
	fold := slices.ContainsFunc(routes, func(r dialect.Route) bool { return r.Fold })
	return document{spec: spec, routes: routes, fold: fold, shown: map[string]bool{}}
}

func TestEveryDocumentIsValid(t *testing.T) {
	for _, k := range table.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			d := load(t, k, dialect.Config{Base: k.Base})
			if !d.spec.IsOpenAPI31OrLater() || d.spec.Info.Title != k.Name {
				t.Errorf("OpenAPI %s of %q", d.spec.OpenAPI, d.spec.Info.Title)
			}
			if err := d.spec.Validate(context.Background()); err != nil {
				t.Error(err)
			}
			for name, status := range conventions {
				if d.spec.Components.Responses[name] == nil {
					t.Errorf("no response %s says how %d looks", name, status)
				}
			}
		})
	}
}

// check returns how an exchange is not as described.
func (d document) check(x exchange) error {
	in, err := d.find(x)
	if err != nil {
		return err
	}
	if x.good() && in.Route.Operation.RequestBody == nil && len(x.sent) > 0 && x.request.Method != http.MethodGet {
		return errors.New("a body that is not described") // that of a GET means nothing
	}
	if x.good() && in.Route.Path != "" {
		body := d.asDescribed(in, x)
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
		d.sent(in, body)
	}
	return d.checkResponse(in, x)
}

// find returns the operation that an exchange is one of, or else one that has
// only the response that stands for it.
func (d document) find(x exchange) (*openapi3filter.RequestValidationInput, error) {
	in := &openapi3filter.RequestValidationInput{
		Request: x.again(x.sent), Options: &openapi3filter.Options{AuthenticationFunc: present, IncludeResponseStatus: true},
	}
	status := x.response.StatusCode
	if x.refused {
		return in, d.only(in, "Refused"+strconv.Itoa(status), status)
	}
	if x.request.Method == http.MethodOptions && status == http.StatusNoContent {
		return in, d.only(in, "Preflight", status)
	}
	path, params := d.path(x.request.URL.EscapedPath(), status)
	if path == "" {
		return in, d.only(in, "UnknownPath", status)
	}
	item := d.spec.Paths.Value(path)
	op := item.GetOperation(x.request.Method)
	if op == nil && x.request.Method == http.MethodHead && status != http.StatusMethodNotAllowed {
		op = item.Get
	}
	if op == nil && status == http.StatusNotFound { // in another case, say
		return in, d.only(in, "UnknownPath", status)
	}
	if op == nil {
		return in, d.only(in, "WrongMethod", status)
	}
	in.PathParams = params
	in.Route = &routers.Route{Spec: d.spec, Path: path, PathItem: item, Method: x.request.Method, Operation: op}
	return in, nil
}

func (d document) only(in *openapi3filter.RequestValidationInput, name string, status int) error {
	ref := d.spec.Components.Responses[name]
	if ref == nil {
		return fmt.Errorf("no response %s is described", name)
	}
	if want, ok := conventions[name]; ok && want != status {
		return fmt.Errorf("%s is answered %d", name, status)
	}
	named := &openapi3.ResponseRef{Ref: componentRef + name, Value: ref.Value}
	op := &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(status, named))}
	in.Route = &routers.Route{Spec: d.spec, PathItem: &openapi3.PathItem{}, Operation: op}
	return nil
}

// path returns the path of the document that a request's is, the one with the
// fewest parameters, and their values. One slash at the end may be too many.
func (d document) path(escaped string, status int) (best string, params map[string]string) {
	for template := range d.spec.Paths.Map() {
		values, ok := d.match(template, escaped)
		if !ok && status != http.StatusNotFound {
			values, ok = d.match(template, strings.TrimSuffix(escaped, "/"))
		}
		if ok && (best == "" || len(values) < len(params)) {
			best, params = template, values
		}
	}
	if best == "" && slices.Contains(d.routes, dialect.Route{Path: escaped, Exact: true}) {
		return d.atEveryRoute(), nil
	}
	return best, params
}

// atEveryRoute returns the path that stands for every exact route of the
// dialect, "" where none does.
func (d document) atEveryRoute() string {
	for path, item := range d.spec.Paths.Map() {
		if _, found := item.Extensions["x-at-every-route"]; found {
			return path
		}
	}
	return ""
}

func (d document) match(template, escaped string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(escaped, "/")
	if len(want) != len(got) {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range want {
		name, parameter := strings.CutPrefix(segment, "{")
		switch {
		case parameter && got[i] != "":
			values[strings.TrimSuffix(name, "}")] = unescape(got[i])
		case segment == got[i], d.fold && foldASCII(segment) == foldASCII(got[i]):
		default:
			return nil, false
		}
	}
	return values, true
}

func (d document) checkResponse(in *openapi3filter.RequestValidationInput, x exchange) error {
	ref := in.Route.Operation.Responses.Status(x.response.StatusCode)
	if ref == nil {
		return fmt.Errorf("status %d is not described", x.response.StatusCode)
	}
	d.shown[claim(in.Route.Operation, strconv.Itoa(x.response.StatusCode), ref)] = true
	if err := checkFields(ref.Value, x); err != nil {
		return err
	}
	if err := d.checkContent(ref.Value, x); err != nil {
		return err
	}
	options := *in.Options
	in.Request = x.again(x.sent)
	if in.Request.Method == http.MethodHead { // the validator would pass its fields by
		in.Request.Method, options.ExcludeResponseBody = http.MethodGet, true
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: x.response.StatusCode, Header: x.response.Header, Options: &options,
	}
	out.SetBodyBytes(x.answered)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		return fmt.Errorf("the response: %w", err)
	}
	return nil
}

// checkFields wants every field of an answer described. The validator looks at
// those that are.
func checkFields(described *openapi3.Response, x exchange) error {
	for name := range x.response.Header {
		if !slices.Contains(always, name) && !hasHeader(described, name) {
			return fmt.Errorf("the field %s is not described", name)
		}
	}
	if !hasHeader(described, "Cache-Control") && x.response.Header.Get("Cache-Control") != "no-store" {
		return errors.New("the answer may be cached")
	}
	return nil
}

// checkContent wants a body of a described type, or none where none is.
func (d document) checkContent(described *openapi3.Response, x exchange) error {
	mediaType := x.response.Header.Get("Content-Type")
	if len(described.Content) == 0 {
		if len(x.answered) > 0 || mediaType != "" {
			return fmt.Errorf("a body of type %q where none is described", mediaType)
		}
		return nil
	}
	if described.Content.Get(mediaType) == nil {
		return fmt.Errorf("the type %q is not described", mediaType)
	}
	if len(x.answered) == 0 && x.request.Method != http.MethodHead {
		return errors.New("no body")
	}
	plain, _, _ := strings.Cut(mediaType, ";")
	d.shown[plain] = true
	return nil
}

func hasHeader(r *openapi3.Response, name string) bool {
	for described := range r.Headers {
		if strings.EqualFold(described, name) {
			return true
		}
	}
	return false
}

// claim names what a document says: an answer of one operation, or one that
// several share by a reference.
func claim(op *openapi3.Operation, status string, ref *openapi3.ResponseRef) string {
	if ref.Ref != "" {
		return ref.Ref
	}
	return op.OperationID + " " + status
}

// unshown reports what the document says and no transcript shows: nobody knows
// whether that is true. 408 takes longer than a transcript has, and 405 of a
// guarded request is the guard's own answer, whatever the dialect.
func (d document) unshown(t *testing.T, shown map[string]bool) {
	t.Helper()
	for path, item := range d.spec.Paths.Map() {
		for method, op := range item.Operations() {
			for status, ref := range op.Responses.Map() {
				if status != "408" && !shown[claim(op, status, ref)] {
					t.Errorf("%s %s: no transcript shows the status %s", method, path, status)
				}
				d.unshownTypes(t, ref, shown)
			}
			d.unsent(t, op, shown)
		}
	}
	for name, ref := range d.spec.Components.Responses {
		status, refused := strings.CutPrefix(name, "Refused")
		if _, known := conventions[name]; !known && (!refused || status == "405" || status == "408") {
			continue
		}
		if !shown[componentRef+name] {
			t.Errorf("no transcript shows the response %s", name)
		}
		d.unshownTypes(t, ref, shown)
	}
}

// componentRef begins a reference to a response that has a name.
const componentRef = "#/components/responses/"

func (d document) unshownTypes(t *testing.T, ref *openapi3.ResponseRef, shown map[string]bool) {
	t.Helper()
	for mediaType := range ref.Value.Content {
		if !shown[mediaType] {
			t.Errorf("no transcript shows an answer of type %s", mediaType)
		}
	}
}
