package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// clients has a folder for each client that nobody here wrote: a Caddyfile of
// what it talks to, and programs that use it as its documentation says. What
// they need is installed by
//
//	npm ci --prefix cmd/gatehouse/testdata/clients --ignore-scripts --no-audit --no-fund
const clients = "testdata/clients"

// newClientGateway starts the gateway of a client's folder.
func newClientGateway(t *testing.T, client string) *gateway {
	t.Helper()
	_, err := exec.LookPath("node")
	needs(t, err != nil, "node")
	_, err = os.Stat(filepath.Join(clients, "node_modules", ".package-lock.json"))
	needs(t, err != nil, "npm ci --prefix cmd/gatehouse/"+clients+" --ignore-scripts")
	g := newGateway(t, filepath.Join(clients, client))
	// A client that minds a proxy for the outside must not ask it for us.
	g.env = append(g.env, "URL=http://127.0.0.1:"+g.port, "NO_PROXY=*", "no_proxy=*")
	g.start("run")
	return g
}

// admin runs a command and returns the members of the object that it prints.
func (g *gateway) admin(stdin string, args ...string) map[string]any {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "gatehouse", append(args, "--json")...)
	cmd.Dir, cmd.Env, cmd.Stdin = g.folder, g.env, strings.NewReader(stdin)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gatehouse %s: %v\n%s%s", strings.Join(args, " "), err, out, &complaints)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	printed := map[string]any{}
	if err := d.Decode(&printed); err != nil {
		g.t.Fatalf("gatehouse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return printed
}

// told is a line that a program prints: what it looked at and what was wrong
// with it, or that it came to its end. See steps.mjs.
type told struct {
	Step  string `json:"step"`
	Error string `json:"error"`
	End   bool   `json:"end"`
}

// node runs a program of the folder and makes a subtest of each of its steps.
func (g *gateway) node(t *testing.T, program string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", program)
	cmd.Dir, cmd.Env = g.folder, append(slices.Clone(g.env), env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, failed := cmd.Output()
	steps, whole := readSteps(out)
	wrong := 0
	for _, s := range steps {
		t.Run(s.Step, func(t *testing.T) {
			if s.Error != "" {
				wrong++
				t.Error(s.Error)
			}
		})
	}
	if !whole || len(steps) == 0 || (failed != nil && wrong == 0) {
		t.Errorf("%s broke off after %d steps: %v\n%s%s\n--- the gateway\n%s", program, len(steps), failed, out, &complaints, g.output())
	}
}

// readSteps returns what a program looked at, and whether it came to its end.
func readSteps(out []byte) (steps []told, whole bool) {
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var line told
		if err := d.Decode(&line); err != nil || line.End {
			return steps, err == nil
		}
		steps = append(steps, line)
	}
}

// clientPassword is the password of every account here.
const clientPassword = "correct horse battery"

// imported adds accounts by one command, each with an email. Their hash is a
// cheap one, which the first login replaces.
func (g *gateway) imported(tenant string, accounts ...[2]string) {
	g.t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(clientPassword), bcrypt.MinCost)
	if err != nil {
		g.t.Fatal(err)
	}
	var lines strings.Builder
	for _, a := range accounts {
		fmt.Fprintf(&lines, `{"username":%q,"email":"%[1]s@example.com","password_hash":%q,"roles":[%q],"tenant":%q}`+"\n",
			a[0], hash, a[1], tenant)
	}
	g.admin(lines.String(), "account", "import", "-")
}

// made adds something by a command and returns its id and its secret.
func (g *gateway) made(secret string, args ...string) (id, value string) {
	g.t.Helper()
	printed := g.admin("", args...)
	return fmt.Sprint(printed["id"]), fmt.Sprint(printed[secret])
}
