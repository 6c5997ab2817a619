package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestACellHoldsWhatATerminalCanShow(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing is a hyphen":                      {"", "-"},
		"a hyphen is not nothing":                  {"-", `"-"`},
		"words stand as they are":                  {"Acme Corp, Ltd.", "Acme Corp, Ltd."},
		"so do other scripts":                      {"Łódź 東京", "Łódź 東京"},
		"a command to the terminal does not":       {"\x1b[31m", `"\x1b[31m"`},
		"nor one of the eight-bit kind":            {"\u009b31m", `"\u009b31m"`},
		"nor a line break":                         {"a\nb", `"a\nb"`},
		"nor what turns text around":               {"a\u202eb", `"a\u202eb"`},
		"nor bytes that are no text":               {"a\xffb", `"a\xffb"`},
		"a no-break space is no space to be known": {"a\u00a0b", `"a\u00a0b"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cell(c.text); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAMessageIsOneLine(t *testing.T) {
	got := visible("first\nsecond \x1b[31m \xff \"quoted\" it's")
	if want := `first second \x1b[31m \xff "quoted" it's`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzJSONReadsBackAndShowsNoCommand(f *testing.F) {
	for _, s := range []string{"", "joe", "\x1b[31m", "\u009b", "a\nb\tc", "\U0001f600", "\U000e0001", "<&>", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		out, err := encoded(map[string]string{"name": text}, "")
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]string
		if err := json.Unmarshal([]byte(out), &back); err != nil || back["name"] != text {
			t.Errorf("%q came back as %q (%v) from %s", text, back["name"], err, out)
		}
		if cell(out) != out {
			t.Errorf("a terminal would be commanded by %q", out)
		}
	})
}

func TestValuesOfFlags(t *testing.T) {
	for name, c := range map[string]struct {
		value interface {
			Set(string) error
			String() string
		}
		text, want string // want "" is an error
	}{
		"a lifetime":                       {new(lifetime), "90m", "1h30m0s"},
		"a lifetime in days":               {new(lifetime), "7d", "168h0m0s"},
		"no lifetime is none":              {new(lifetime), "0s", ""},
		"nor is a negative one":            {new(lifetime), "-1h", ""},
		"nor is a number":                  {new(lifetime), "60", ""},
		"an instant":                       {new(end), "2027-01-31T12:00:00+01:00", "2027-01-31T12:00:00+01:00"},
		"a day is no instant":              {new(end), "2027-01-31", ""},
		"a duration that is past":          {new(end), "-1h", ""},
		"a prefix":                         {new(prefixes), "192.0.2.77/24", "192.0.2.0/24"},
		"an address is a prefix of itself": {new(prefixes), "2001:db8::1", "2001:db8::1/128"},
		"an address in both families":      {new(prefixes), "::ffff:192.0.2.7", "192.0.2.7/32"},
		"several of them":                  {new(prefixes), "192.0.2.7, 10.0.0.0/8", "192.0.2.7/32,10.0.0.0/8"},
		"an address of a zone":             {new(prefixes), "fe80::1%eth0", ""},
		"no address":                       {new(prefixes), "", ""},
		"permissions in their order":       {new(permissions), "create, read", "read,create"},
		"no permission":                    {new(permissions), "", ""},
		"an unknown permission":            {new(permissions), "read,admin", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.value.Set(c.text)
			if c.want == "" {
				if err == nil {
					t.Errorf("%q is taken as %s", c.text, c.value)
				}
				return
			}
			if got := c.value.String(); err != nil || got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestADurationEndsThatMuchLater(t *testing.T) {
	var e end
	before := time.Now()
	if err := e.Set("90d"); err != nil {
		t.Fatal(err)
	}
	const span = 90 * 24 * time.Hour
	if at := time.Time(e); at.Before(before.Add(span)) || at.After(time.Now().Add(span)) {
		t.Errorf("90d from %s is %s", before, at)
	}
}

func TestTheStateOfAKeyIsOneWord(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	o := &operation{admin: &admin.Admin{Now: func() time.Time { return now }}}
	for name, c := range map[string]struct {
		key  store.Key
		want string
	}{
		"a key without an end is good":            {store.Key{}, "good"},
		"one that ends later too":                 {store.Key{Expires: now.Add(time.Millisecond)}, "good"},
		"one that ends now has expired":           {store.Key{Expires: now}, "expired"},
		"a revoked key is revoked, whatever else": {store.Key{Revoked: now, Expires: now}, "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := o.keyState(c.key); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
