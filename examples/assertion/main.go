// Command assertion is an upstream that believes the gateway's assertions and
// nothing else: it answers 401 to whatever did not come through the gateway.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-auth/gatehouse/examples/assertion/verify"
)

func main() {
	gateway := "http://localhost:" + cmp.Or(os.Getenv("PORT"), "8080")
	v := &verify.Verifier{
		Keys:   &verify.KeySet{URL: gateway + "/.well-known/jwks.json"},
		Issuer: "gatehouse:default", Audience: "orders",
	}
	server := &http.Server{
		Addr:              "localhost:" + cmp.Or(os.Getenv("UPSTREAM_PORT"), "8081"),
		Handler:           v.Handler(http.HandlerFunc(orders)),
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func orders(w http.ResponseWriter, r *http.Request) {
	c := verify.From(r.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "%s %s for %s with %s\n", r.Method, r.URL.EscapedPath(), c.Username, c.Credential)
}
