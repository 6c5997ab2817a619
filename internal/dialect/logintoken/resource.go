package logintoken

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The methods of a Feathers service, by the names that its errors and the
// option methods use.
const (
	findMethod   = "find"
	getMethod    = "get"
	createMethod = "create"
	updateMethod = "update"
	patchMethod  = "patch"
	removeMethod = "remove"
)

// recordMethods are those that the records can have.
var recordMethods = []string{createMethod, findMethod, getMethod, patchMethod, removeMethod}

// httpMethods are those that lead to a method of a service, in the order in
// which Allow names them.
var httpMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete}

// methodOf names what an HTTP method asks of a service, of one thing of it or
// of the service as a whole.
func methodOf(verb string, one bool) string {
	switch verb {
	case http.MethodGet, http.MethodHead:
		if one {
			return getMethod
		}
		return findMethod
	case http.MethodPost:
		return createMethod
	case http.MethodPut:
		return updateMethod
	case http.MethodPatch:
		return patchMethod
	case http.MethodDelete:
		return removeMethod
	}
	return dialect.LowerASCII(verb)
}

// resource is what one path stands for.
type resource struct {
	// id is the segment below the service, "" for the service as a whole.
	id string
	// calls are by name of the method.
	calls map[string]call
	// spends says that to look at it is to use it up: HEAD is not GET then,
	// and neither comes in early data.
	spends bool
}

// call answers one method; id is that of the resource.
type call func(w http.ResponseWriter, r *http.Request, id string)

// ServeHTTP answers one call.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, ok := a.resource(r.URL.Path)
	if !ok {
		a.refuse(w, r, auth.Fail(auth.NotFound, auth.ReasonPath, shown("Page not found")))
		return
	}
	allowed := res.allowed()
	if a.cors.Answer(w, r, allowed...) {
		return
	}
	name := res.method(r)
	c := res.calls[name]
	if custom := customMethod(r); custom != "" {
		name, c = custom, nil
	}
	switch {
	case c == nil:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.refuse(w, r, auth.Fail(auth.Malformed, auth.ReasonMethod, shown("Method `"+name+"` is not supported by this endpoint.")))
	case dialect.EarlyData(r) && (res.spends || name != findMethod && name != getMethod):
		a.refuse(w, r, auth.Fail(auth.Malformed, auth.ReasonEarlyData, nil))
	default:
		c(w, r, res.id)
	}
}

// resource finds what stands at a path.
func (a *api) resource(path string) (resource, bool) {
	if id, ok := below(a.base, path); ok {
		return resource{id: id, calls: a.recordCalls(id)}, true
	}
	if id, ok := below(a.login, path); ok {
		return resource{id: id, calls: a.loginCalls(id), spends: true}, true
	}
	if id, ok := below(a.authentication, path); ok {
		return resource{id: id, calls: a.authenticationCalls(id)}, true
	}
	return resource{}, false
}

// below returns the one segment that path has below a service, "" for none. A
// slash at the end says nothing.
func below(service, path string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(path, service)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	id = strings.Trim(rest, "/")
	return id, !strings.Contains(id, "/")
}

func (a *api) recordCalls(id string) map[string]call {
	calls := map[string]call{patchMethod: a.patch, removeMethod: a.remove}
	if id == "" {
		calls[findMethod], calls[createMethod] = a.find, a.create
	} else {
		calls[getMethod] = a.get
	}
	for name := range calls {
		if !slices.Contains(a.methods, name) {
			delete(calls, name)
		}
	}
	return calls
}

func (a *api) loginCalls(id string) map[string]call {
	if id == "" {
		return nil
	}
	return map[string]call{getMethod: a.redeem}
}

func (a *api) authenticationCalls(id string) map[string]call {
	calls := map[string]call{removeMethod: a.logout}
	if id == "" {
		calls[createMethod] = a.authenticate
	}
	return calls
}

// customMethod names the method of a Feathers service that has no HTTP method
// of its own, "" for none. It comes as POST with its name in a field, and no
// service here has one. The usual ones cannot be asked for in this way.
func customMethod(r *http.Request) string {
	if r.Method != http.MethodPost {
		return ""
	}
	return cut(r.Header.Get("X-Service-Method"))
}

// method names what a request asks for.
func (res resource) method(r *http.Request) string {
	if res.spends && r.Method == http.MethodHead {
		return "head"
	}
	return methodOf(cut(r.Method), res.id != "")
}

// allowed lists the HTTP methods that are served.
func (res resource) allowed() []string {
	var verbs []string
	for _, verb := range httpMethods {
		if res.spends && verb == http.MethodHead {
			continue
		}
		if res.calls[methodOf(verb, res.id != "")] != nil {
			verbs = append(verbs, verb)
		}
	}
	return verbs
}
