package caddymodule

import (
	"net/http"
	"testing"
)

// TestWholeCORS: a preflight is answered without a credential for the origins
// that a login lists, and for no others; what it asks for is judged as ever.
func TestWholeCORS(t *testing.T) {
	w := start(t, `
		login management {
			cors https://app.example.com
		}
		login timed_login
		accept bearer api_key
		public /open/*
		errors problem`)
	_, key := w.ann()
	const (
		origin = "Origin: https://app.example.com"
		asks   = "Access-Control-Request-Method: DELETE"
		fields = "Access-Control-Request-Headers: x-api-key"
	)
	for name, c := range map[string]struct {
		path     string
		fields   []string
		status   int
		upstream bool
		allowed  bool // to read the answer
	}{
		"of a listed origin":                       {"/orders", []string{origin, asks, fields}, 204, false, true},
		"of a listed origin, with a bad key":       {"/orders", []string{origin, asks, "X-Api-Key: nobody's"}, 204, false, true},
		"of a listed origin, on the login":         {"/v1/auth/login", []string{origin, "Access-Control-Request-Method: POST"}, 204, false, true},
		"of a listed origin, on a public path":     {"/open/x", []string{origin, asks}, 200, true, false},
		"of another origin":                        {"/orders", []string{"Origin: https://evil.example.com", asks}, 401, false, false},
		"of an origin below it":                    {"/orders", []string{"Origin: https://x.app.example.com", asks}, 401, false, false},
		"of an origin that begins so":              {"/orders", []string{"Origin: https://app.example.com.evil.example", asks}, 401, false, false},
		"of the origin in the clear":               {"/orders", []string{"Origin: http://app.example.com", asks}, 401, false, false},
		"of no origin":                             {"/orders", []string{"Origin: null", asks}, 401, false, false},
		"of two origins":                           {"/orders", []string{origin, "Origin: https://evil.example.com", asks}, 401, false, false},
		"without the method that is asked for":     {"/orders", []string{origin}, 401, false, true},
		"of a path that reads in two ways":         {"//orders", []string{origin, asks}, 400, false, true},
		"of another login's origin, on this":       {"/login", []string{"Origin: https://evil.example.com", asks}, 405, false, false},
		"with a credential, of an unlisted origin": {"/orders", []string{"Origin: https://evil.example.com", asks, "X-Api-Key: " + key}, 200, true, false},
	} {
		w.run("a preflight "+name, func(t *testing.T) {
			a := w.do(http.MethodOptions, c.path, "", c.fields...)
			if a.status != c.status || (a.seen != nil) != c.upstream {
				t.Fatalf("answered %d, upstream %t: %v", a.status, a.seen != nil, a)
			}
			if got := a.header.Get("Access-Control-Allow-Origin"); (got == "https://app.example.com") != c.allowed || !c.allowed && got != "" {
				t.Errorf("the origin %q is allowed", got)
			}
			if got := a.header.Values("Access-Control-Allow-Credentials"); got != nil {
				t.Errorf("credentials of the browser are allowed: %q", got)
			}
		})
	}
	w.run("the request that was asked for needs its credential", func(*testing.T) {
		w.refused(w.do(http.MethodDelete, "/orders", "", origin), http.StatusUnauthorized)
		w.passed(w.do(http.MethodDelete, "/orders", "", origin, "X-Api-Key: "+key))
	})
}
