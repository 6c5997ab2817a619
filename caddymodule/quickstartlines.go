package caddymodule

import (
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// print writes what there is and the curl lines to try. The secrets stand
// there once: after a later start the lines hold variables in their place.
func (d *demo) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nGatehouse is running: %s\n\n", d.site)
	if d.password.Empty() {
		b.WriteString("The store has accounts already, so none was made. The lines below want these of yours:\n\n" +
			"    PASSWORD=…    # of the account " + demoUser + "; a new one: gatehouse account passwd " + demoUser + "\n" +
			"    KEY=…         # an API key of it; a new one: gatehouse key create --account " + demoUser + "\n")
	} else {
		b.WriteString("A demo account and an API key were made. Their secrets are shown this once:\n\n" +
			"    PASSWORD=" + d.password.Reveal() + "\n    KEY=" + d.key.Reveal() + "\n")
	}
	b.WriteString("\nTo try, in another terminal:\n")
	for _, s := range d.steps() {
		fmt.Fprintf(&b, "\n# %s\n%s\n", s.what, s.line)
	}
	b.WriteString("\nStop with Ctrl-C.\n\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// step is a line to try and what it shows.
type step struct{ what, line string }

func (d *demo) steps() []step {
	password, key := shown(d.password, "$PASSWORD"), shown(d.key, "$KEY")
	var all []step
	for _, l := range d.handler.Logins {
		built, err := l.build()
		if err != nil {
			continue // it was built when the configuration was loaded
		}
		switch l.Dialect {
		case "management":
			all = append(all, d.managementSteps(built.Config.Base, password, key)...)
		case "timed_login":
			all = append(all, timedSteps(d.site, built.Config.Base, key)...)
		}
	}
	return all
}

// shown returns a secret, or the variable that stands for it.
func shown(s auth.Secret, variable string) string {
	if s.Empty() {
		return variable
	}
	return s.Reveal()
}

// guarded is a path that the gateway hands on, restricted one that the demo
// account may not see.
const (
	guarded    = "/hello"
	restricted = "/admin/secrets"
)

func (d *demo) managementSteps(base, password, key string) []step {
	site := d.site
	login := site + base + "/login"
	steps := []step{
		{
			"management: log in and keep the token",
			`TOKEN=$(curl -sS ` + login + ` -H 'Content-Type: application/json' -d "{\"username\":\"` + demoUser +
				`\",\"password\":\"` + password + `\"}" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')`,
		},
		{"a guarded call with the token: the upstream tells who it was told you are", `curl -sS -i -w '\n' ` + site + guarded + ` -H "Authorization: Bearer $TOKEN"`},
		{"the same with the API key", `curl -sS -i -w '\n' ` + site + guarded + ` -H "x-api-key: ` + key + `"`},
		{"without a credential: refused", `curl -sS -i -w '\n' ` + site + guarded},
	}
	if len(d.handler.Require) > 0 {
		steps = append(steps, step{
			"a path for the role admin, which " + demoUser + " lacks: refused",
			`curl -sS -i -w '\n' ` + site + restricted + ` -H "Authorization: Bearer $TOKEN"`,
		})
	}
	return append(steps, []step{
		{"log out", `curl -sS -i -w '\n' -X POST ` + site + base + `/logout -H "Authorization: Bearer $TOKEN"`},
		{"the token is refused afterwards", `curl -sS -i -w '\n' ` + site + guarded + ` -H "Authorization: Bearer $TOKEN"`},
	}...)
}

func timedSteps(site, base, key string) []step {
	call := `curl -sS -i -w '\n' "` + site + guarded + `?Token=$TIMED"`
	return []step{
		{
			"timed_login: a token for some seconds, by JSON",
			`TIMED=$(curl -sS ` + site + base + ` -H 'Content-Type: application/json' -d "{\"UserLogin\":\"` + demoUser +
				`\",\"ApiKey\":\"` + key + `\"}" | sed -n 's/.*"Token":"\([^"]*\)".*/\1/p')`,
		},
		{"a guarded call with it", call},
		{
			"the same by XML",
			`TIMED=$(curl -sS ` + site + base + ` -H 'Content-Type: application/xml' -H 'Accept: application/xml' -d "<Request><UserLogin>` + demoUser +
				`</UserLogin><ApiKey>` + key + `</ApiKey></Request>" | sed -n 's:.*<Token>\([^<]*\)</Token>.*:\1:p')`,
		},
		{"a guarded call with that", call},
	}
}
