package lint

// Config is what is looked at.
type Config struct {
	Servers []Server
	// Literals are the values that stand in the file itself, in what
	// configures the gateway.
	Literals []Literal
}

// Place is where something stands; Line is 0 where that is not known.
type Place struct {
	File string
	Line int
}

// Literal is a value as it was written.
type Literal struct {
	// Name says what it is the value of.
	Name, Text string
	Place      Place
}

// Server listens on addresses.
type Server struct {
	Name   string
	Listen []string
	// TLS says that it takes nothing else, Public that others than this
	// machine and its private networks may reach it.
	TLS, Public bool
	Routes      []Route
	// Trusted are the proxies whose word counts on where a client is.
	Trusted []Trusted
	// Strict says that of the hops they tell the last that is no proxy counts,
	// and not the first.
	Strict bool
	// LeakingLogs are those that would show a credential.
	LeakingLogs []string
	// LogsCredentials says that fields are logged that are hidden otherwise.
	LogsCredentials bool
	// LogsAt is where that is said.
	LogsAt Place
	Place  Place
}

// Trusted is a list of addresses and prefixes.
type Trusted struct {
	Prefixes []string
	Place    Place
}

// Route is a list of handlers for some requests.
type Route struct {
	// Site names the route for people, e.g. by its hosts; "" but at the top.
	Site string
	// Match holds the alternatives of what is matched: the names of matchers
	// and what each is set to, in JSON. None is every request.
	Match []map[string]string
	// Group joins routes of which the first that matches is taken.
	Group    string
	Handlers []Handler
}

// Handler is one step of a route.
type Handler struct {
	// Name is that of the module, e.g. reverse_proxy.
	Name string
	// Guards says that it refuses those who present no credential. A guard of
	// ours has a Guard too.
	Guards bool
	Guard  *Guard
	Routes []Route
	// Fields are the fields of the request that it sets.
	Fields  []Field
	Trusted []string
	Place   Place
	// Lines are the places of what stands inside it, by its words.
	Lines map[string]Place
}

// Field is a header field and its value, as it was written.
type Field struct{ Name, Value string }

// Guard is what a gateway allows.
type Guard struct {
	Public, Require []Selection
	Logins          []Login
	// Queries are the parameters that hold credentials.
	Queries                      []string
	InsecureHTTP, Debug, Observe bool
}

// Selection is of requests: by path patterns, by something else, or with
// neither of all.
type Selection struct {
	Paths   []string
	Matcher bool
}

// Login answers paths.
type Login struct {
	Name  string
	Paths []string
}

// at is the place of a line inside a handler, or the handler's own.
func (h *Handler) at(words string) Place {
	if p, ok := h.Lines[words]; ok {
		return p
	}
	return h.Place
}
