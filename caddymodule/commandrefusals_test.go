package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"github.com/spf13/cobra"
)

// typed carries out a command line, its words joined by "|", and returns what
// was printed and the exit code.
func typed(t *testing.T, stdin, words string) (stdout, stderr string, code int) {
	t.Helper()
	root := &cobra.Command{Use: "gatehouse", SilenceUsage: true}
	for _, c := range commands() {
		sub := &cobra.Command{Use: c.name, Short: c.short}
		c.build(sub)
		root.AddCommand(sub)
	}
	var out, errs strings.Builder
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(strings.Split(words, "|"))
	if err := root.ExecuteContext(t.Context()); err != nil {
		code = exitRefused
		if err.Error() == "exiting with status 2" {
			code = exitUsage
		}
	}
	return out.String(), errs.String(), code
}

// ownStore has commands find a store and a key ring of their own, in a folder
// of their own.
func ownStore(t *testing.T) (file string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, dir)
	}
	t.Chdir(dir)
	storage := caddy.DefaultStorage // was chosen when the process began
	caddy.DefaultStorage = &certmagic.FileStorage{Path: caddy.AppDataDir()}
	t.Cleanup(func() { caddy.DefaultStorage = storage })
	return filepath.Join(dir, "caddy", "gatehouse.db")
}

// typo is a command line that cannot be carried out, and words of the sentence
// that says so.
type typo struct{ stdin, words, says string }

const goodPassword = "correct horse battery\n"

// The command line itself is wrong: nothing is opened.
var typos = []typo{
	{"", "account|frobnicate", `there is no "frobnicate"`},
	{"", "account|show", "wrong number of arguments: it is gatehouse account show <username>"},
	{"", "account|show|joe|anna", "wrong number of arguments"},
	{"", "account|list|surplus", "wrong number of arguments"},
	{"", "account|list|--frobnicate", "unknown flag: --frobnicate"},
	{"", "account|list|--realm|a b", `the realm "a b"`},
	{"", "account|list|--realm|", "--realm needs a value"},
	{"", "account|list|--config|", "--config needs a value"},
	{"", "account|list|--adapter|caddyfile", "--adapter needs --config"},
	{goodPassword, "account|add|--password-stdin", "wrong number of arguments"},
	{goodPassword, "account|add|bob|secret|--password-stdin", "wrong number of arguments"},
	{goodPassword, "account|add|bob|--password=secret", "unknown flag: --password"},
	{goodPassword, "account|add|bob|--password-stdin|--no-password", "exclude each other"},
	{goodPassword, "account|add|bob|--password-stdin|--address|300.1.2.3", `invalid argument "300.1.2.3" for "--address" flag`},
	{"", "account|add|bob|--password-stdin", "there is no password on standard input"},
	{"\r\n", "account|add|bob|--password-stdin", "there is no password on standard input"},
	{strings.Repeat("x", maxSecret+1), "account|add|bob|--password-stdin", "longer than 16384 bytes"},
	{"", "account|roles|joe", "--role or --none"},
	{"", "account|roles|joe|--none|--role|reader", "--role or --none"},
	{"", "account|join|joe", "--tenant is missing"},
	{"", "account|join|--tenant|Acme", "wrong number of arguments"},
	{"", "account|leave|joe", "--tenant is missing"},
	{"", "account|import", "wrong number of arguments"},
	{"", "key|create", "--account, --tenant or --gateway"},
	{"", "key|create|joe", "wrong number of arguments"},
	{"", "key|create|--account|", "--account needs a value"},
	{"", "key|create|--account|joe|--tenant|", "--tenant needs a value"},
	{"", "key|create|--account|joe|--permissions|read,admin", `no permission "admin": it can be read, write, delete or create`},
	{"", "key|create|--account|joe|--expires|yesterday", "duration like 90d"},
	{"", "key|create|--account|joe|--expires|-1h", "duration like 90d"},
	{"", "key|create|--account|joe|--import-stdin", "there is no key on standard input"},
	{"", "key|rotate", "wrong number of arguments"},
	{"", "key|rotate|1|--overlap|soon", "duration like 90m"},
	{"", "key|rotate|api_secret", "a key is named by its number"},
	{"", "key|revoke|api_secret", "a key is named by its number"},
	{"", "key|revoke|0", "a key is named by its number"},
	{"", "token|create", "--account is missing"},
	{"", "token|create|--account|joe|--ttl|0s", "duration like 90m"},
	{"", "token|create|--account|joe|--ttl|-5m", "duration like 90m"},
	{"", "token|create|--account|joe|--ttl|forever", "duration like 90m"},
	{"", "token|create|--account|joe|--tenant|", "--tenant needs a value"},
	{"", "token|inspect", "say which token"},
	{"", "token|inspect|id|id", "wrong number of arguments"},
	{"x", "token|inspect|id|--token-stdin", "say which token"},
	{"", "token|inspect|--token-stdin", "there is no token on standard input"},
	{"", "token|inspect|ght_secret", "use --token-stdin"},
	{"", "token|revoke", "say which token"},
	{"", "token|revoke|ght_secret", "use --token-stdin"},
	{"", "token|revoke|secret.secret.secret", "use --token-stdin"},
	{"", "token|revoke|--all", "--account and --all"},
	{"", "token|revoke|--account|joe", "--account and --all"},
	{"", "token|revoke|--account|joe|--all|id", "--account and --all"},
	{"x", "token|revoke|--account|joe|--all|--token-stdin", "--account and --all"},
	{"", "tenant|add", "wrong number of arguments"},
	{"", "unit|add|Sales", "--tenant is missing"},
	{"", "unit|add|--tenant|Acme", "wrong number of arguments"},
	{"", "unit|list", "--tenant is missing"},
	{"", "unit|delete|Sales", "--tenant is missing"},
	{goodCode, "identifier|add|--code-stdin", "--account is missing"},
	{goodCode, "identifier|add|joe|--code-stdin", "wrong number of arguments"},
	{goodCode, "identifier|add|--account||--code-stdin", "--account needs a value"},
	{goodCode, "identifier|add|--account|joe|--code=secret", "unknown flag: --code"},
	{"", "identifier|add|--account|joe", "--code-stdin, or --identifier with --pass-code-stdin"},
	{"", "identifier|add|--account|joe|--identifier|", "--code-stdin, or --identifier with --pass-code-stdin"},
	{goodPassword, "identifier|add|--account|joe|--pass-code-stdin", "--code-stdin, or --identifier with --pass-code-stdin"},
	{goodCode, "identifier|add|--account|joe|--code-stdin|--identifier|till", "--code-stdin, or --identifier with --pass-code-stdin"},
	{goodCode, "identifier|add|--account|joe|--code-stdin|--pass-code-stdin", "--code-stdin, or --identifier with --pass-code-stdin"},
	{"", "identifier|add|--account|joe|--code-stdin", "there is no authentication code on standard input"},
	{"", "identifier|add|--account|joe|--identifier|till|--pass-code-stdin", "there is no pass code on standard input"},
	{"", "identifier|list|joe", "wrong number of arguments"},
	{"", "identifier|delete", "wrong number of arguments"},
}

const goodCode = "correct horse 42 battery\n"

func TestAWrongCommandLineOpensNothing(t *testing.T) {
	file := ownStore(t)
	for _, c := range typos {
		t.Run(c.words, func(t *testing.T) {
			refusedLine(t, c, exitUsage, true)
		})
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a store was made all the same")
	}
}

// refusedLine checks that a line is answered by one sentence and a code.
func refusedLine(t *testing.T, c typo, want int, hinted bool) {
	t.Helper()
	stdout, stderr, code := typed(t, c.stdin, c.words)
	if code != want || stdout != "" {
		t.Errorf("exit code %d with %q printed, want %d with nothing", code, stdout, want)
	}
	if !strings.HasPrefix(stderr, "gatehouse: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.says) {
		t.Errorf("it says %q, want one line with %q", stderr, c.says)
	}
	if strings.Contains(stderr, "--help'") != hinted {
		t.Errorf("it says %q: is the help named?", stderr)
	}
	if strings.Contains(stderr, "secret") || strings.Contains(stderr, "correct horse") {
		t.Errorf("it repeats a secret: %q", stderr)
	}
}

// A value is wrong that only the store's rules tell: exit code 2 too.
var badValues = []typo{
	{goodPassword, "account|add|bob |--password-stdin", `username "bob " cannot be`},
	{goodPassword, "account|add|bob|--password-stdin|--unit|Sales", "needs its tenant"},
	{goodPassword, "account|add|bob|--password-stdin|--role|two words", `role "two words"`},
	{goodPassword, "account|add|bob|--password-stdin|--email|nobody", `email "nobody"`},
	{"1234567\n", "account|add|bob|--password-stdin", "at least 8 bytes"},
	{"alexander\r\n", "account|add|alexander|--password-stdin", "the password is the username"},
	{"Password\n", "account|add|bob|--password-stdin", "one of the 3000 most used, which are tried first: choose another"},
	{"1234567\n", "account|passwd|joe|--password-stdin", "at least 8 bytes"},
	{"12345678\n", "account|passwd|joe|--password-stdin", "one of the 3000 most used"},
	{"", "account|roles|joe|--role|a*", `role "a*"`},
	{"", "account|join|joe|--tenant|Acme|--role|a b", `role "a b"`},
	{"", "key|create|--gateway|--account|joe", "has no other owner"},
	{"", "key|create|--account|joe|--scopes|a b", `scope "a b"`},
	{"", "key|create|--account|joe|--expires|2001-01-31T12:00:00Z", "expired already, at 2001-01-31T12:00:00Z"},
	{"too short\n", "key|create|--account|joe|--import-stdin", "at least 16 bytes"},
	{"", "tenant|add|", "a tenant needs a name"},
	{"", "unit|add||--tenant|Acme", "a unit needs a name"},
	{"correct horse 4\n", "identifier|add|--account|joe|--code-stdin", "at least 16 characters"},
	{"secretsecretsecretsecretsecret\n", "identifier|add|--account|joe|--code-stdin", "this code repeats itself"},
	{"1234567\n", "identifier|add|--account|joe|--identifier|till|--pass-code-stdin", "at least 8 bytes"},
	{"12345678\n", "identifier|add|--account|joe|--identifier|till|--pass-code-stdin", "one of the 3000 most used"},
	{goodPassword, "identifier|add|--account|joe|--identifier|till 7|--pass-code-stdin", `identifier "till 7" cannot be`},
}

// The command line is fine, but what it asks for cannot be: exit code 1.
var refusals = []typo{
	{goodPassword, "account|add|JOE|--password-stdin", `the username "JOE" or its email is in use already`},
	{goodPassword, "account|add|bob|--password-stdin|--tenant|Initech", `there is no tenant "Initech"`},
	{goodPassword, "account|add|bob|--password-stdin|--tenant|Acme|--unit|Ops", `there is no unit "Ops"`},
	{"", "account|show|bob", `there is no account "bob"`},
	{"", "account|show|joe|--realm|other", `there is no account "joe"`},
	{goodPassword, "account|passwd|bob|--password-stdin", `there is no account "bob"`},
	{"", "account|disable|bob", `there is no account "bob"`},
	{"", "account|enable|bob", `there is no account "bob"`},
	{"", "account|delete|bob", `there is no account "bob"`},
	{"", "account|roles|bob|--none", `there is no account "bob"`},
	{"", "account|join|bob|--tenant|Acme", `there is no account "bob"`},
	{"", "account|join|joe|--tenant|Initech", `there is no tenant "Initech"`},
	{"", "account|join|joe|--tenant|Acme|--unit|Ops", `there is no unit "Ops"`},
	{"", "account|leave|joe|--tenant|Acme", `the account "joe" is no member of the tenant "Acme"`},
	{"", "account|leave|joe|--tenant|Initech", `there is no tenant "Initech"`},
	{"", "account|leave|bob|--tenant|Acme", `there is no account "bob"`},
	{"", "account|import|missing.jsonl", "the import cannot be read: open missing.jsonl: "},
	{"", "key|create|--account|bob", `there is no account "bob"`},
	{"", "key|create|--tenant|Initech", `there is no tenant "Initech"`},
	{"", "key|create|--account|joe|--tenant|Acme", `the account "joe" is no member of the tenant "Acme"`},
	{"", "key|list|--account|bob", `there is no account "bob"`},
	{"", "key|list|--tenant|Initech", `there is no tenant "Initech"`},
	{"", "key|rotate|999", "there is no key 999"},
	{"", "key|revoke|999", "there is no key 999"},
	{"", "token|create|--account|bob", `there is no account "bob"`},
	{"", "token|create|--account|off", `the account "off" is disabled`},
	{"", "token|create|--account|joe|--tenant|Acme", "no member"},
	{"", "token|list|--account|bob", `there is no account "bob"`},
	{"", "token|inspect|a45a039c-eb31-46f1-9ece-88aa5ccfe22c", "there is no such token, or it is past its time"},
	{"ght_AAAAAAAAAAAAAAAAAAAAAA\n", "token|inspect|--token-stdin", "there is no such token, or it is past its time"},
	{"", "token|revoke|--account|bob|--all", `there is no account "bob"`},
	{"", "tenant|add|ACME", `there is a tenant "ACME" already`},
	{"", "tenant|delete|Initech", `there is no tenant "Initech"`},
	{"", "unit|add|SALES|--tenant|Acme", `the tenant has a unit "SALES" already`},
	{"", "unit|add|Sales|--tenant|Initech", `there is no tenant "Initech"`},
	{"", "unit|list|--tenant|Initech", `there is no tenant "Initech"`},
	{"", "unit|delete|Ops|--tenant|Acme", `there is no unit "Ops"`},
	{"", "account|list|--config|missing", "the configuration cannot be read: open missing: "},
	{goodCode, "identifier|add|--account|bob|--code-stdin", `there is no account "bob"`},
	{"", "identifier|list|--account|bob", `there is no account "bob"`},
	{"", "identifier|delete|secret-of-16-chars", "there is no such identifier"},
}

func TestWhatIsRefusedIsSaidInOneLine(t *testing.T) {
	ownStore(t)
	for _, words := range []string{
		"account|add|joe|--no-password", "account|add|off|--no-password", "account|disable|off",
		"tenant|add|Acme", "unit|add|Sales|--tenant|Acme",
	} {
		if _, stderr, code := typed(t, "", words); code != 0 {
			t.Fatalf("%s: %s", words, stderr)
		}
	}
	for _, c := range badValues {
		t.Run(c.words, func(t *testing.T) { refusedLine(t, c, exitUsage, false) })
	}
	for _, c := range refusals {
		t.Run(c.words, func(t *testing.T) { refusedLine(t, c, exitRefused, false) })
	}
}
