package oauth2_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	client "golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/oauth2"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	annID = "0b7e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a11"
	// annKey has all that clients encode differently.
	annKey = "hDn/LFXIPESM036W+s7VKg=="
)

// server is a gateway on a port of its own, with ann, a key of hers and an
// upstream that tells who called.
type server struct {
	*httptest.Server
	t        testing.TB
	store    store.Store
	clientID string
}

func serve(t testing.TB, options string) *server {
	t.Helper()
	rows := memstore.New(time.Now)
	ring, err := token.ParseRing(token.RingFile{Name: "test", Text: token.NewRing()})
	must(t, err)
	runtime := gateway.NewRuntime(gateway.RuntimeConfig{
		Store: rows, Ring: ring, Now: time.Now, Hashing: password.Options{MemoryKiB: 8, Time: 1, Threads: 1},
	})
	t.Cleanup(func() { must(t, runtime.Close()) })
	ctx := context.Background()
	must(t, rows.Accounts.InsertAccount(ctx, store.Account{ID: annID, Realm: gateway.DefaultRealm, Username: "ann"}))
	id, err := rows.Keys.InsertKey(ctx, store.Key{
		Realm: gateway.DefaultRealm, Digest: auth.DigestOf(annKey), Account: annID, Permissions: auth.Read, Scopes: auth.Scope{"orders", "stock"},
	})
	must(t, err)
	site, err := gateway.New(gateway.Config{
		Logins: []gateway.Login{{Kind: oauth2.Kind(), Config: configure(t, options)}},
	})
	must(t, err)
	site.Bind(runtime)
	s := &server{t: t, store: rows, clientID: strconv.FormatInt(id, 10)}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, site.ServeHTTP(w, r, func(w http.ResponseWriter, _ *http.Request) error {
			_, err := fmt.Fprint(w, "forwarded")
			return err
		}))
	}))
	t.Cleanup(s.Close)
	return s
}

// context has the library call this server.
func (s *server) context() context.Context {
	return context.WithValue(s.t.Context(), client.HTTPClient, s.Client())
}

func (s *server) endpoint(style client.AuthStyle) client.Endpoint {
	return client.Endpoint{TokenURL: s.URL + "/oauth2/token", AuthStyle: style}
}

// get makes a guarded call with a client of the library.
func (s *server) get(c *http.Client) (int, string) {
	s.t.Helper()
	res, err := c.Get(s.URL + "/orders")
	must(s.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	must(s.t, err)
	return res.StatusCode, string(text)
}

var styles = map[string]client.AuthStyle{
	"in the header": client.AuthStyleInHeader, "in the body": client.AuthStyleInParams, "as it finds out": client.AuthStyleAutoDetect,
}

func TestTheGoClientGetsTokensOfItsOwn(t *testing.T) {
	for name, style := range styles {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "")
			cfg := clientcredentials.Config{
				ClientID: s.clientID, ClientSecret: annKey, TokenURL: s.URL + "/oauth2/token", Scopes: []string{"orders"}, AuthStyle: style,
			}
			got, err := cfg.Token(s.context())
			must(t, err)
			if !got.Valid() || got.Type() != "Bearer" || got.RefreshToken == "" || got.Extra("scope") != "orders" || time.Until(got.Expiry) < 59*time.Minute {
				t.Errorf("got %+v", got)
			}
			if status, text := s.get(cfg.Client(s.context())); status != http.StatusOK || text != "forwarded" {
				t.Errorf("the call was answered %d %s", status, text)
			}
		})
	}
}

func TestTheGoClientRefreshes(t *testing.T) {
	for name, style := range styles {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "")
			cfg := client.Config{ClientID: s.clientID, ClientSecret: annKey, Endpoint: s.endpoint(style)}
			first, err := (&clientcredentials.Config{ClientID: s.clientID, ClientSecret: annKey, TokenURL: s.URL + "/oauth2/token"}).Token(s.context())
			must(t, err)
			expired := *first
			expired.Expiry = time.Now().Add(-time.Minute)
			source := cfg.TokenSource(s.context(), &expired)
			second, err := source.Token()
			must(t, err)
			if second.AccessToken == first.AccessToken || second.RefreshToken == first.RefreshToken || second.RefreshToken == "" {
				t.Errorf("first %+v, then %+v", first, second)
			}
			if status, _ := s.get(client.NewClient(s.context(), source)); status != http.StatusOK {
				t.Errorf("the call was answered %d", status)
			}
			_, err = cfg.TokenSource(s.context(), &expired).Token() // a replay
			wantError(t, err, http.StatusBadRequest, "invalid_grant")
			if status, text := s.get(client.NewClient(s.context(), source)); status != http.StatusUnauthorized || !strings.Contains(text, "invalid_token") {
				t.Errorf("after the replay the call was answered %d %s", status, text)
			}
		})
	}
}

// wantError fails the test unless the library understood this error.
func wantError(t testing.TB, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*client.RetrieveError](err)
	if !ok || e.Response.StatusCode != status || e.ErrorCode != code || e.ErrorDescription == "" {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
}

func TestTheGoClientUnderstandsErrors(t *testing.T) {
	s := serve(t, "")
	for name, c := range map[string]struct {
		change func(*clientcredentials.Config)
		status int
		code   string
	}{
		"a wrong secret":    {func(c *clientcredentials.Config) { c.ClientSecret = "wrong" }, http.StatusUnauthorized, "invalid_client"},
		"an unknown client": {func(c *clientcredentials.Config) { c.ClientID = "77" }, http.StatusUnauthorized, "invalid_client"},
		"another scope":     {func(c *clientcredentials.Config) { c.Scopes = []string{"admin"} }, http.StatusBadRequest, "invalid_scope"},
		"another grant": {func(c *clientcredentials.Config) {
			c.EndpointParams = url.Values{"grant_type": {"password"}}
		}, http.StatusBadRequest, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &clientcredentials.Config{
				ClientID: s.clientID, ClientSecret: annKey, TokenURL: s.URL + "/oauth2/token", AuthStyle: client.AuthStyleInHeader,
			}
			c.change(cfg)
			_, err := cfg.Token(s.context())
			wantError(t, err, c.status, c.code)
		})
	}
}

// fetch decodes what is answered to a GET.
func (s *server) fetch(target string, into any) {
	s.t.Helper()
	res, err := s.Client().Get(target)
	must(s.t, err)
	defer func() { _ = res.Body.Close() }()
	must(s.t, json.NewDecoder(res.Body).Decode(into))
}

// TestAJWTVerifiesByWhatIsPublishedAlone: from the issuer to its metadata, to
// its keys, to the token, as any resource server goes.
func TestAJWTVerifiesByWhatIsPublishedAlone(t *testing.T) {
	for _, algorithm := range token.AccessAlgorithms {
		t.Run(algorithm, func(t *testing.T) {
			s := serve(t, "format jwt\nissuer https://id.example.com/oauth2\naudience orders-api\nalgorithm "+algorithm)
			var metadata struct {
				Issuer string
				JWKS   string `json:"jwks_uri"`
			}
			s.fetch(s.URL+"/.well-known/oauth-authorization-server/oauth2", &metadata)
			if metadata.Issuer != "https://id.example.com/oauth2" || metadata.JWKS != metadata.Issuer+"/jwks" {
				t.Fatalf("the metadata are %+v", metadata)
			}
			var set struct{ Keys []map[string]string }
			s.fetch(s.URL+"/oauth2/jwks", &set)
			if len(set.Keys) != 1 || set.Keys[0]["alg"] != algorithm {
				t.Fatalf("the keys are %v", set)
			}
			got, err := (&clientcredentials.Config{ClientID: s.clientID, ClientSecret: annKey, TokenURL: s.URL + "/oauth2/token"}).Token(s.context())
			must(t, err)
			var claims jwt.MapClaims
			parsed, err := jwt.NewParser(jwt.WithAudience("orders-api"), jwt.WithIssuer(metadata.Issuer), jwt.WithExpirationRequired()).
				ParseWithClaims(got.AccessToken, &claims, func(*jwt.Token) (any, error) { return publicKey(t, set.Keys[0]), nil })
			must(t, err)
			if parsed.Header["typ"] != "at+jwt" || parsed.Header["kid"] != set.Keys[0]["kid"] ||
				claims["client_id"] != s.clientID || claims["scope"] != "orders stock" || claims["sub"] != annID {
				t.Errorf("the token says %v, %v", parsed.Header, claims)
			}
			if status, _ := s.get(client.NewClient(s.context(), client.StaticTokenSource(got))); status != http.StatusOK {
				t.Errorf("the call was answered %d", status)
			}
		})
	}
}

// TestTheGuardTakesNothingElse: neither the key of a client nor its refresh
// token, nor the scheme Basic.
func TestTheGuardTakesNothingElse(t *testing.T) {
	s := serve(t, "")
	got, err := (&clientcredentials.Config{ClientID: s.clientID, ClientSecret: annKey, TokenURL: s.URL + "/oauth2/token"}).Token(s.context())
	must(t, err)
	for name, c := range map[string]struct {
		field, value, challenge string
	}{
		"a refresh token": {"Authorization", "Bearer " + got.RefreshToken, `Bearer error="invalid_token"`},
		"a key as Bearer": {"Authorization", "Bearer " + annKey, `Bearer error="invalid_token"`},
		"Basic":           {"Authorization", basicOf(s.clientID, annKey), "Bearer"},
		"an API key":      {"X-Api-Key", annKey, "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/orders", http.NoBody)
			must(t, err)
			r.Header.Set(c.field, c.value)
			res, err := s.Client().Do(r)
			must(t, err)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != c.challenge {
				t.Errorf("answered %d with %v", res.StatusCode, res.Header)
			}
		})
	}
}

func basicOf(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// publicKey reads a key of a set (RFC 7518 section 6, RFC 8037 section 2).
func publicKey(t testing.TB, k map[string]string) any {
	t.Helper()
	part := func(name string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(k[name])
		must(t, err)
		return b
	}
	switch k["kty"] {
	case "OKP":
		return ed25519.PublicKey(part("x"))
	case "EC":
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, part("x"), part("y")))
		must(t, err)
		return key
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(part("n")), E: int(new(big.Int).SetBytes(part("e")).Int64())}
}
