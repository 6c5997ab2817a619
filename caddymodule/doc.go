// Package caddymodule is Gatehouse as Caddy sees it: the app, the handler and
// the authentication provider, their Caddyfile, the log format that hides
// credentials, and the metrics.
//
// It is the only package that knows Caddy, zap and Prometheus. It decides
// nothing about authentication: it turns configuration into the arguments of
// constructors below internal/ and hands requests on.
package caddymodule
