package caddymodule

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// childConfig names the Caddyfile that TestWholeChild serves.
const childConfig = "GATEHOUSE_TEST_CHILD_CONFIG"

// TestWholeChild is no test but the process that others look at: a Caddy that
// runs until its standard input ends.
func TestWholeChild(t *testing.T) {
	path := os.Getenv(childConfig)
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := adapt(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
}

// secretsCaddyfile logs as much as Caddy can, everywhere and to its end.
// FORMAT is the format of every log.
const secretsCaddyfile = `{
	debug
	admin ADMIN
	auto_https off
	default_bind 127.0.0.1
	metrics
	servers {
		log_credentials
	}
	log {
		FORMAT
	}
	log everything {
		output file DIR/logs/everything.log
		FORMAT
		level DEBUG
	}
	gatehouse {
		store sqlite DIR/data/gatehouse.db
	}
}

(guard) {
	login management /v1/auth {
		format {args[0]}
	}
	login timed_login /api/login {
		ttl 1h
	}
	accept bearer
	accept api_key
	accept api_key X-Own-Key
	accept key_user_token
	accept basic
	accept query Token
	accept query own
	accept body token
	public /open/*
	insecure_http
}

SITE {
	log {
		output file DIR/logs/access.log
		FORMAT
	}
	@down path /down/* /open/down/*
	gatehouse {
		import guard opaque
	}
	metrics /open/metrics
	reverse_proxy @down 127.0.0.1:1
	reverse_proxy UPSTREAM
}

KEEPING {
	log
	gatehouse {
		import guard jwt
		identity {
			keep_credentials
		}
	}
	reverse_proxy /down/* 127.0.0.1:1
	reverse_proxy UPSTREAM
}
`

// child is a Caddy in a process of its own, with two sites.
type child struct {
	*whole
	keeping, adminAPI string
	config            string // the Caddyfile
	other             *admin.Admin
	stop, kill        func()
	// planted are the secrets by where they stood; shown tells those apart
	// that a log in any other format would show.
	planted map[string]string
	shown   map[string]bool
	answers []string
}

func startChild(t *testing.T, format string) *child {
	t.Helper()
	c := &child{planted: map[string]string{}, shown: map[string]bool{}, keeping: "http://" + freeAddress(t), adminAPI: freeAddress(t)}
	dir := t.TempDir()
	up := httptest.NewServer(http.HandlerFunc(c.upstream))
	t.Cleanup(up.Close)
	c.whole = &whole{t: t, dir: dir, upstream: up.URL, site: "http://" + freeAddress(t), client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 30 * time.Second,
	}}
	text := strings.NewReplacer("FORMAT", format, "KEEPING", c.keeping, "ADMIN", c.adminAPI).Replace(secretsCaddyfile)
	for _, name := range []string{"logs", "output"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.config = c.fill(text)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.spawn(t, config)
	return c
}

// spawn starts the process and waits until it answers.
func (c *child) spawn(t *testing.T, config string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestWholeChild$")
	cmd.Env = append(os.Environ(), childConfig+"="+config, "HOME="+c.dir, "XDG_DATA_HOME="+c.dir, "XDG_CONFIG_HOME="+c.dir)
	if cmd.Stdout, err = os.Create(filepath.Join(c.dir, "output", "stdout")); err != nil {
		t.Fatal(err)
	}
	if cmd.Stderr, err = os.Create(filepath.Join(c.dir, "output", "stderr")); err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // that it was killed is no news
	}
	c.stop = func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process ended with %v: %s", err, c.read("output/stdout"))
		}
	}
	eventually(t, 30*time.Second, "the process answers", func() bool {
		_, err := c.try(t.Context(), http.MethodGet, c.site+"/open/metrics", "")
		return err == nil
	})
	c.other = elsewhere(t, filepath.Join(c.dir, "data", "gatehouse.db"))
}

func (c *child) read(name string) string {
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Error(err)
	}
	return string(text)
}

// plant remembers a secret that stands at some place.
func (c *child) plant(place, secret string, shown bool) string {
	c.planted[place], c.shown[place] = secret, shown
	return secret
}

// canary plants a new secret.
func (c *child) canary(place string, shown bool) string {
	c.t.Helper()
	if _, twice := c.planted[place]; twice {
		c.t.Fatalf("%s stands twice", place)
	}
	return c.plant(place, "K9-"+rand.Text()+"/+=", shown)
}

// upstream answers with secrets of its own and notes nothing.
func (c *child) upstream(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/open/answers" {
		w.Header().Set("Set-Cookie", "session="+r.Header.Get("X-Cookie-Value-For-Test"))
		w.Header().Set("Location", "/x?Token="+url.QueryEscape(r.Header.Get("Authorization-For-Test")))
	}
	_, _ = io.WriteString(w, "ok")
}

// ask makes a request whose answer must hold no secret either.
func (c *child) ask(method, target, body string, fields ...string) answer {
	c.t.Helper()
	a, err := c.try(c.t.Context(), method, target, body, fields...)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// refuse is ask for a request that must not pass.
func (c *child) refuse(method, target, body string, fields ...string) {
	c.t.Helper()
	a := c.ask(method, target, body, fields...)
	if a.status < 400 {
		c.t.Fatalf("%s %s passed: %v", method, target, a)
	}
	c.answers = append(c.answers, a.String())
}

// TestO02NoSecretThatIsSentStandsInWhatIsWritten, wherever it was sent and
// however the request was broken, with every log at DEBUG.
func TestO02NoSecretThatIsSentStandsInWhatIsWritten(t *testing.T) {
	c := startChild(t, "format gatehouse")
	c.useGood()
	c.useBad()
	written := c.everythingWritten()
	c.stop()
	c.filesBelow("at the end: ", written)
	for place, secret := range c.planted {
		for name, text := range written {
			if form := formIn(text, secret); form != "" {
				t.Errorf("the secret of %q stands in %s as %s", place, name, form)
			}
		}
	}
	for _, name := range []string{"logs/access.log", "logs/everything.log", "output/stderr", "data/gatehouse.db-wal", "caddy/autosave.json", "/config/"} {
		if len(written[name]) == 0 {
			t.Errorf("%s is empty: nothing was looked at", name)
		}
	}
	if stderr := written["output/stderr"]; !bytes.Contains(stderr, []byte("upstream roundtrip")) || !bytes.Contains(stderr, []byte("connection refused")) {
		t.Errorf("neither the debug nor the error log was written: %.3000s", stderr)
	}
}

// The test above is worth nothing unless it fails where secrets are logged.
func TestO02SecretsAreSeenInAnotherFormat(t *testing.T) {
	c := startChild(t, "format json")
	c.useGood()
	c.useBad()
	written := c.everythingWritten()
	c.stop()
	for place, secret := range c.planted {
		if !c.shown[place] {
			continue
		}
		found := slices.ContainsFunc([]string{"logs/access.log", "logs/everything.log", "output/stderr"}, func(name string) bool {
			return formIn(written[name], secret) != ""
		})
		if !found {
			t.Errorf("the secret of %q stands in no log", place)
		}
	}
}

// everythingWritten returns all that the process wrote, by name.
func (c *child) everythingWritten() map[string][]byte {
	c.t.Helper()
	written := map[string][]byte{}
	for _, path := range []string{"/config/", "/metrics"} {
		written[path] = []byte(c.ask(http.MethodGet, "http://"+c.adminAPI+path, "").body)
	}
	written["metrics of the site"] = []byte(c.ask(http.MethodGet, c.site+"/open/metrics", "").body)
	written["refusals"] = []byte(strings.Join(c.answers, "\n"))
	c.filesBelow("", written)
	return written
}

// filesBelow adds all files but the key ring, which is a secret and a file.
func (c *child) filesBelow(prefix string, written map[string][]byte) {
	c.t.Helper()
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "gatehouse/key_ring") {
			return err
		}
		text, err := os.ReadFile(path)
		written[prefix+strings.TrimPrefix(path, c.dir+"/")] = text
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// formIn returns the form in which a text holds a secret, "" for none.
func formIn(text []byte, secret string) string {
	for name, form := range formsOf(secret) {
		if bytes.Contains(text, []byte(form)) {
			return name
		}
	}
	return ""
}

func formsOf(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	forms := map[string]string{
		"it is":                  secret,
		"JSON":                   strings.Trim(string(quoted), `"`),
		"hex":                    hex.EncodeToString([]byte(secret)),
		"upper-case hex":         strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"a query component":      url.QueryEscape(secret),
		"a path segment":         url.PathEscape(secret),
		"percent-encoded":        percentEncoded(secret, "%%%02X"),
		"percent-encoded, lower": percentEncoded(secret, "%%%02x"),
		"lower case":             strings.ToLower(secret),
		"upper case":             strings.ToUpper(secret),
		"its middle":             secret[3 : len(secret)-3],
	}
	// Base64 looks different at each of three distances from its beginning;
	// the characters at both ends depend on what stands beside.
	for n := range 3 {
		padded := append(make([]byte, n), secret...)
		for name, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := e.EncodeToString(padded)
			forms[fmt.Sprint(name, " at ", n)] = text[4 : len(text)-4]
		}
	}
	return forms
}

func percentEncoded(secret, format string) string {
	var b strings.Builder
	for _, c := range []byte(secret) {
		fmt.Fprintf(&b, format, c)
	}
	return b.String()
}

// useGood uses credentials that are good, in every position, on both sites,
// with the upstream there and away.
func (c *child) useGood() {
	t := c.t
	password := c.canary("a password", false)
	if _, err := c.other.AddAccount(t.Context(), admin.NewAccount{Username: annName, Password: auth.NewSecret(password)}); err != nil {
		t.Fatal(err)
	}
	_, made, err := c.other.CreateKey(t.Context(), admin.NewKey{Account: annName, Permissions: auth.AllPermissions})
	if err != nil {
		t.Fatal(err)
	}
	key := c.plant("an API key", made.Reveal(), true)
	for site, base := range map[string]string{"a stripping site": c.site, "a keeping site": c.keeping} {
		a := c.ask("POST", base+"/v1/auth/login", fmt.Sprintf(`{"username":"ann","password":%q}`, password), jsonType)
		token := c.plant("a token of "+site, memberOf(t, a.body, "token"), true)
		if parts := strings.Split(token, "."); len(parts) == 3 {
			c.plant("a signature of "+site, parts[2], true)
		}
		var timed []string
		for i, l := range timedLogins(annName, key) {
			a := c.ask("POST", base+"/api/login", l.body, "Content-Type: "+l.media)
			timed = append(timed, c.plant(fmt.Sprint("timed token ", i, " of ", site), l.tokenIn(t, a.body), true))
		}
		basic := base64.StdEncoding.EncodeToString([]byte(key + ":"))
		for _, path := range []string{"/x", "/down/x"} {
			want := map[string]int{"/x": 200, "/down/x": 502}[path]
			for _, a := range []answer{
				c.ask("GET", base+path, "", bearerOf(token)),
				c.ask("GET", base+path, "", "x-api-key: "+key),
				c.ask("GET", base+path, "", "X-Own-Key: "+key),
				c.ask("GET", base+path, "", "Authorization: Basic "+basic),
				c.ask("GET", base+path, "", "apikey: "+key, "userid: ann", "token: "+token),
				c.ask("GET", base+path+"?a=b&Token="+timed[0]+"&c=d", "", "Referer: "+base+"/?Token="+timed[0]),
				c.ask("GET", base+path+"?own="+url.QueryEscape(token), "", "Referer: "+base+"/?own="+token),
				c.ask("GET", base+path+"?tOKEN="+strings.ToUpper(timed[1]), ""),
				c.ask("POST", base+path, `{"token":"`+token+`"}`, jsonType),
			} {
				if a.status != want {
					t.Fatalf("%s of %s: %v", path, site, a)
				}
			}
		}
		c.ask("GET", base+"/v1/auth/user", "", bearerOf(token))
		c.ask("POST", base+"/v1/auth/logout", "", bearerOf(token))
		c.refuse("GET", base+"/x", "", bearerOf(token))
	}
}

// useBad puts secrets where they are of no use, or not in the right form.
func (c *child) useBad() {
	for i, base := range []string{c.site, c.keeping} {
		c.badFields(fmt.Sprint(" ", i), base)
		c.badQueries(fmt.Sprint(" ", i), base)
		c.badBodies(fmt.Sprint(" ", i), base)
	}
	// On public paths a bad one goes no further, and the upstream may be away.
	for _, path := range []string{"/open/x", "/open/down/x"} {
		c.ask("GET", c.site+path+"?Token="+url.QueryEscape(c.canary("query of "+path, true)), "",
			bearerOf(c.canary("bearer of "+path, true)), "Cookie: session="+c.canary("cookie of "+path, true))
	}
	c.ask("GET", c.site+"/open/answers", "",
		"X-Cookie-Value-For-Test: none", "Authorization-For-Test: none")
}

func (c *child) badFields(n, base string) {
	for _, field := range []string{
		"Authorization: Bearer %s", "Authorization: bearer  %s", "Authorization: Bearer %s, Bearer x", "Authorization: %s",
		"Authorization: Token %s", "Authorization: Digest username=\"ann\", response=\"%s\"", "Authorization: Basic %s",
		"Proxy-Authorization: Basic %s", "x-api-key: %s", "X-API-KEY: %s x", "x_api_key: %s", "X-Own-Key: %s", "apikey: %s", "userid: %s",
		"token: %s", "entity-authentication-token: %s", "Cookie: session=%s; theme=dark", "X-Auth-Token: %s", "X-Access-Token: %s",
		"Referer: https://app.example.com/page?Token=%s", "Referer: https://ann:%s@app.example.com/",
		"Referer: https://app.example.com/#access_token=%s", "Authorization: Bearer eyJhbGciOiJub25lIn0.%s.",
	} {
		secret := c.canary("field "+field+n, !strings.HasPrefix(field, "x_"))
		if strings.HasPrefix(field, "Referer") {
			secret = url.QueryEscape(secret)
		}
		c.refuse("GET", base+"/x", "", fmt.Sprintf(field, secret))
	}
	user := base64.StdEncoding.EncodeToString([]byte("ann:" + c.canary("Basic password"+n, true)))
	c.refuse("GET", base+"/x", "", "Authorization: Basic "+user)
	c.refuse("GET", base+"/x", "", bearerOf(c.canary("first of two"+n, true)), bearerOf(c.canary("second of two"+n, true)))
	c.ask("POST", base+"/v1/auth/logout", "", bearerOf(c.canary("logout"+n, true)), "x-api-key: "+c.canary("logout key"+n, true))
	c.refuse("TRACE", base+"/x", "", bearerOf(c.canary("TRACE"+n, true)))
	c.refuse("GET", base+"/a/%2e%2e/x", "", bearerOf(c.canary("bad path"+n, true)))
}

func (c *child) badQueries(n, base string) {
	for _, query := range []string{
		"Token=%s", "token=%s", "TOKEN=%s", "%%54oken=%s", "a=b&Token=%s", "own=%s", "OWN=%s", "Token=x&Token=%s", "Token=%s;x=y",
		"access_token=%s", "api_key=%s", "apikey=%s", "password=%s", "next=https%%3A%%2F%%2Fx.example.com%%2F%%3FToken%%3D%s",
		"client_secret=%s",
	} {
		secret := c.canary("query "+query+n, true)
		c.refuse("GET", base+"/x?"+fmt.Sprintf(query, url.QueryEscape(secret)), "")
	}
	c.refuse("POST", base+"/v1/auth/login?password="+url.QueryEscape(c.canary("query of a login"+n, true)), "", jsonType)
	c.refuse("POST", base+"/api/login?ApiKey="+url.QueryEscape(c.canary("query of a timed login"+n, true)), "", jsonType)
	c.refuse("GET", base+"/x;Token="+url.PathEscape(c.canary("path parameter"+n, true)), "")
	c.refuse("GET", base+"/x?Token="+percentEncoded(c.canary("percent-encoded query"+n, true), "%%%02x"), "")
}

func (c *child) badBodies(n, base string) {
	for i, body := range []string{
		`{"username":"ann","password":"%s"}`, `{"username":"ann","password":"%s"`, `{"username":"ann","password":"%s"}}`,
		`{"username":"ann","password":["%s"]}`, `{"username":"ann","password":{"%s":1}}`, `{"username":"ann","password":"x","password":"%s"}`,
		`{"username":["%s"],"password":"x"}`, `{"password":"%s"}`, `"%s"`, `%s`, `{"username":"ann","password":"%s"} trailing`,
		`{"username":"ann","passwort":"%s"}`, `{"username":"ann","password":'%s'}`, `username=ann&password=%s`,
		"{\"username\":\"ann\",\"password\":\"%s\x00\"}", "{\"username\":\"ann\",\"password\":\"%s\xff\"}", `{"username":7,"password":"%s"}`,
	} {
		secret := c.canary(fmt.Sprint("JSON login ", i, n), false)
		c.refuse("POST", base+"/v1/auth/login", fmt.Sprintf(body, secret), jsonType)
		c.refuse("POST", base+"/v1/auth/login", fmt.Sprintf(body, secret), "Content-Type: text/plain; x="+rand.Text())
		c.refuse("POST", base+"/v1/auth/user", fmt.Sprintf(body, secret), jsonType)
		timed := strings.NewReplacer("username", "UserLogin", "password", "ApiKey").Replace(body)
		c.refuse("POST", base+"/api/login", fmt.Sprintf(timed, secret), jsonType)
		c.refuse("POST", base+"/x", fmt.Sprintf(strings.ReplaceAll(body, "password", "token"), secret), jsonType)
	}
	for i, body := range []string{
		"<Request><UserLogin>ann</UserLogin><ApiKey>%s</ApiKey></Request>", "<Request><UserLogin>ann</UserLogin><ApiKey>%s</ApiKey>",
		"<Request><UserLogin>ann</UserLogin><ApiKey>%s</Request>", "<Request><ApiKey>%s</ApiKey></Request>",
		"<!DOCTYPE r [<!ENTITY e \"%s\">]><Request><UserLogin>ann</UserLogin><ApiKey>&e;</ApiKey></Request>",
		"<Request><UserLogin>ann</UserLogin><ApiKey>x</ApiKey><ApiKey>%s</ApiKey></Request>", "<%s/>", "%s",
		"<Request ApiKey=\"%s\"><UserLogin>ann</UserLogin></Request>", "<Request><UserLogin>ann</UserLogin><ApiKey><!-- %s --></ApiKey></Request>",
		"<?pi %s?><Request/>", "<Request><UserLogin>ann</UserLogin><ApiKey><![CDATA[%s</ApiKey></Request>",
	} {
		c.refuse("POST", base+"/api/login", fmt.Sprintf(body, c.canary(fmt.Sprint("XML login ", i, n), false)), "Content-Type: application/xml")
	}
}
