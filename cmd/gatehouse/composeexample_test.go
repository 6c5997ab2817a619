package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// composeFile is as much of a compose.yaml as the examples use: any other member
// is an error.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Services map[string]composeService `yaml:"services"`
	Networks map[string]yaml.Node      `yaml:"networks"`
	Volumes  map[string]yaml.Node      `yaml:"volumes"`
}

type composeService struct {
	Image string `yaml:"image"`
	Build struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	DependsOn   yaml.Node         `yaml:"depends_on"`
	Ports       []string          `yaml:"ports"`
	Networks    yaml.Node         `yaml:"networks"`
	Restart     string            `yaml:"restart"`
	StopGrace   string            `yaml:"stop_grace_period"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
}

// needed are the services that have to be there first, in either form.
func (s composeService) needed(t *testing.T) (names []string) {
	t.Helper()
	if s.DependsOn.Kind == yaml.SequenceNode {
		if err := s.DependsOn.Decode(&names); err != nil {
			t.Fatal(err)
		}
		return names
	}
	for i := 0; i+1 < len(s.DependsOn.Content); i += 2 {
		names = append(names, s.DependsOn.Content[i].Value)
	}
	return names
}

func readCompose(t *testing.T, folder string) (c composeFile) {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	variable = regexp.MustCompile(`\$\{(\w+)[^}]*\}`)
	// unfilled is what a Caddyfile takes from the environment and has no
	// default for.
	unfilled = regexp.MustCompile(`\{(?:env\.|\$)(\w+)\}`)
	// host is one that a URL or an address names.
	host = regexp.MustCompile(`(?:^|@|\s)([a-z]\w*)(?::\d+|/)`)
)

// TestComposeExamples holds each compose.yaml against itself and has the
// gateway read the Caddyfiles as it will there. Containers are not started.
func TestComposeExamples(t *testing.T) {
	for _, example := range clusterExamples {
		t.Run(example, func(t *testing.T) {
			folder := filepath.Join("../../examples", example)
			c := readCompose(t, folder)
			gateways := 0
			t.Run("whatever goes on running is started again", func(t *testing.T) { c.restarts(t) })
			t.Run("the key ring is made once", c.Services["keys"].makesRing)
			for name, s := range c.Services {
				t.Run(name+" names only what there is", func(t *testing.T) { c.holds(t, folder, s) })
				if strings.HasPrefix(name, "gateway") {
					gateways++
					t.Run(name+" reads its Caddyfile", func(t *testing.T) { s.validates(t, folder, "Caddyfile") })
				}
			}
			if gateways != 2 {
				t.Errorf("there are %d gateways", gateways)
			}
			balancer := c.Services["balancer"]
			t.Run("the balancer reads its own", func(t *testing.T) { balancer.validates(t, folder, "balancer.caddyfile") })
			t.Run("the balancer is the proxy that the gateways trust", func(t *testing.T) {
				var at map[string]struct {
					Address string `yaml:"ipv4_address"`
				}
				if err := balancer.Networks.Decode(&at); err != nil {
					t.Fatal(err)
				}
				if got := c.Services["gateway2"].Environment["BALANCER"]; got != at["default"].Address+"/32" {
					t.Errorf("they trust %s, and it is %s", got, at["default"].Address)
				}
			})
			if redis, ok := c.Services["redis"]; ok {
				t.Run("Redis keeps what it was given, and is told its password by nobody else", redis.isRedis)
			}
		})
	}
}

// holds looks up what a service names.
func (c composeFile) holds(t *testing.T, folder string, s composeService) {
	t.Helper()
	if s.Image == "" {
		t.Error("it has no image")
	}
	if s.Build.Dockerfile != "" {
		if _, err := os.Stat(filepath.Join(folder, s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range s.needed(t) {
		if _, ok := c.Services[name]; !ok {
			t.Errorf("it needs %s, which there is not", name)
		}
	}
	for _, v := range s.Volumes {
		source, _, _ := strings.Cut(v, ":")
		if strings.HasPrefix(source, "./") {
			if _, err := os.Stat(filepath.Join(folder, source)); err != nil {
				t.Error(err)
			}
			continue
		}
		if _, ok := c.Volumes[source]; !ok {
			t.Errorf("there is no volume %s", source)
		}
	}
	for setting, value := range s.Environment {
		for _, m := range host.FindAllStringSubmatch(value, -1) {
			if _, ok := c.Services[m[1]]; !ok {
				t.Errorf("%s names %s, which there is not", setting, m[1])
			}
		}
	}
}

// validates has the gateway read a file in the environment of a service.
func (s composeService) validates(t *testing.T, folder, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range unfilled.FindAllStringSubmatch(string(text), -1) {
		if s.Environment[m[1]] == "" {
			t.Errorf("%s is not given", m[1])
		}
	}
	g := newGateway(t, folder)
	ring := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(ring, token.NewRing(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range s.Environment {
		g.env = append(g.env, name+"="+variable.ReplaceAllString(value, "0123456789abcdef"))
	}
	g.env = append(g.env, "KEY_RING="+ring)
	g.shell("gatehouse validate --adapter caddyfile --config " + file + "\n" +
		"gatehouse fmt --diff " + file + " > $HOME/formatted\n" +
		"! grep '^[-+]' $HOME/formatted")
	if file == "Caddyfile" { // what is plain Caddy has no guard
		g.shell("gatehouse lint")
	}
	adapted := g.shell("gatehouse adapt --adapter caddyfile --config " + file)
	for _, name := range slices.Sorted(hosts(s.Environment)) {
		if !strings.Contains(adapted, `"`+name+`"`) {
			t.Errorf("nothing goes to %s: %s", name, adapted)
		}
	}
}

// hosts are the addresses that Caddy proxies to.
func hosts(environment map[string]string) func(func(string) bool) {
	return slices.Values(strings.Fields(environment["GATEWAYS"] + " " + environment["UPSTREAM"]))
}

// restarts wants every service to come back with the machine, but the one that is
// to end.
func (c composeFile) restarts(t *testing.T) {
	t.Helper()
	for name, s := range c.Services {
		if once := name == "keys"; (s.Restart == "unless-stopped") == once {
			t.Errorf("%s: restart is %q", name, s.Restart)
		}
	}
}

// makesRing runs what makes the key ring, in a folder of its own.
func (s composeService) makesRing(t *testing.T) {
	folder := t.TempDir()
	run := func() string {
		text := strings.ReplaceAll(s.Command[0], "/keys/", folder+"/")
		if out, err := exec.Command("sh", "-euc", text).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		ring, err := os.ReadFile(filepath.Join(folder, "ring"))
		if err != nil {
			t.Fatal(err)
		}
		return string(ring)
	}
	ring := run()
	if _, err := token.ParseRing(token.RingFile{Name: "ring", Text: []byte(ring)}); err != nil {
		t.Error(err)
	}
	if run() != ring {
		t.Error("a second start makes another one")
	}
	if stat, err := os.Stat(filepath.Join(folder, "ring")); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", stat.Mode(), err)
	}
}

// isRedis runs the command of Redis with a program in its place that shows what
// it was given.
func (s composeService) isRedis(t *testing.T) {
	folder := t.TempDir()
	show := "#!/bin/sh\necho \"$@\"; cat\n"
	if err := os.WriteFile(filepath.Join(folder, "docker-entrypoint.sh"), []byte(show), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(s.Command[0], s.Command[1], strings.ReplaceAll(s.Command[2], "$$", "$"))
	cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "REDISCLI_AUTH=planted-password")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := "redis-server - --appendonly yes --appendfsync always --maxmemory-policy noeviction\nrequirepass planted-password\n"
	if string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
}
