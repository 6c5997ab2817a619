package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (d *desk) imports(text string) (admin.Imported, error) {
	return d.Import(d.Context(), strings.NewReader(text), func(int) {})
}

func TestAnImportReportsEachLineByNumber(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	for name, c := range map[string]struct{ line, words string }{
		"no JSON":                         {`username`, "no JSON object"},
		"an array":                        {`["a"]`, "no JSON object"},
		"an object that does not end":     {`{"username":"a"`, "no JSON object"},
		"two objects":                     {`{"username":"a"}{"username":"b"}`, "something follows"},
		"a member twice":                  {`{"username":"a","username":"b"}`, `member "username" stands twice`},
		"a member twice in two cases":     {`{"username":"a","USERNAME":"b"}`, "stands twice"},
		"a member twice to encoding/json": {`{"roles":[],"roleſ":["root"],"username":"a"}`, "stands twice"},
		"a member that is unknown":        {`{"username":"a","colour":1}`, `unknown field "colour"`},
		"a member of another type":        {`{"username":"a","roles":"admin"}`, "roles cannot be a string"},
		"bytes that are no text":          {"{\"username\":\"\xff\"}", "not UTF-8"},
		"no username":                     {`{}`, "needs a username"},
		"null":                            {`null`, "no JSON object"},
		"an address that is none":         {`{"username":"a","addresses":["x"]}`, `"x" is no address like 192.0.2.7 and no prefix like`},
		"a date that is none":             {`{"username":"a","profile":{"birth_date":"31.1.1970"}}`, `"31.1.1970" is no time like 1970-01-31T00:00:00Z`},
		"a username of two words":         {`{"username":"a b"}`, `"a b" cannot be: it is letters and digits of one writing direction and the punctuation of ASCII, without spaces`},
		"the email of another":            {`{"username":"joe@example.com"}`, "in use already"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, Admin: d.Admin, now: d.now}
			done, err := d.imports("\n" + `{"username":"owner","email":"joe@example.com"}` + "\n" + c.line + "\n")
			if err != nil || len(done.Failed) != 1 || done.Failed[0].Line != 3 || !strings.Contains(done.Failed[0].Text, c.words) {
				t.Errorf("%+v (%v), want line 3 with %q", done, err, c.words)
			}
			if _, err := d.Account(t.Context(), "a"); err == nil {
				t.Error("something of the line was added")
			}
		})
	}
}

func TestAnImportCanBeRunAgain(t *testing.T) {
	d := newDesk(t)
	const text = "\ufeff" + `{"username":"joe","disabled":true}` + "\r\n" + `{"username":"anna"}`
	done, err := d.imports(text)
	if err != nil || done.Added != 2 || done.Present != 0 || len(done.Failed) != 0 {
		t.Errorf("first %+v (%v)", done, err)
	}
	row, err := d.Account(t.Context(), "joe")
	if err != nil || !row.Disabled || !row.Password.Empty() {
		t.Errorf("added %+v (%v)", row, err)
	}
	_, err = d.SetDisabled(t.Context(), "joe", false)
	d.must(err)
	done, err = d.imports(text)
	if err != nil || done.Added != 0 || done.Present != 2 {
		t.Errorf("then %+v (%v)", done, err)
	}
	if row, err = d.Account(t.Context(), "joe"); err != nil || row.Disabled {
		t.Errorf("what was there is changed: %+v (%v)", row, err)
	}
}

func TestAnImportedHashLogsIn(t *testing.T) {
	d := newDesk(t)
	phc, err := d.Hasher.Make(t.Context(), auth.NewSecret(secret))
	d.must(err)
	_, err = d.imports(`{"username":"joe","password_hash":"` + phc.Reveal() + `"}`)
	d.must(err)
	row, err := d.Account(t.Context(), "joe")
	d.must(err)
	if ok, _, err := d.Hasher.Verify(t.Context(), row.Password, auth.NewSecret(secret)); !ok || err != nil {
		t.Errorf("the password does not verify: %v", err)
	}
}

func TestAnImportTellsWhatItDidBeforeItEnded(t *testing.T) {
	t.Run("when the file cannot be read on", func(t *testing.T) {
		d := newDesk(t)
		broken := errors.New("unplugged")
		r := io.MultiReader(strings.NewReader("{\"username\":\"joe\"}\n"), iotest.ErrReader(broken))
		done, err := d.Import(t.Context(), r, func(int) {})
		if !errors.Is(err, broken) || done.Added != 1 {
			t.Errorf("%+v (%v)", done, err)
		}
	})
	t.Run("when a line is longer than any", func(t *testing.T) {
		d := newDesk(t)
		done, err := d.imports("{\"username\":\"joe\"}\n{\"username\":\"" + strings.Repeat("a", 2<<20) + "\"}\n")
		d.fails(err, auth.Malformed, "line 2 is longer")
		if done.Added != 1 {
			t.Errorf("%+v", done)
		}
	})
	t.Run("when the store is out of reach", func(t *testing.T) {
		d := newDesk(t)
		d.Store.Accounts = &unplugged{d.Store.Accounts, 1}
		done, err := d.imports("{\"username\":\"joe\"}\n\n{\"username\":\"anna\"}\n{\"username\":\"bob\"}\n")
		d.fails(err, auth.Unavailable, "line 3: ")
		if done.Added != 1 || len(done.Failed) != 0 {
			t.Errorf("%+v", done)
		}
	})
}

func TestAnInterruptedImportSaysHowToGoOn(t *testing.T) {
	d := newDesk(t)
	ctx, interrupt := context.WithCancel(t.Context())
	lines := strings.NewReader("{\"username\":\"joe\"}\n{\"username\":\"anna\"}\n")
	done, err := d.Import(ctx, lines, func(int) { interrupt() })
	d.fails(err, auth.Unavailable, "interrupted at line 2: run it again to go on")
	if done.Added != 1 || len(done.Failed) != 0 {
		t.Errorf("%+v", done)
	}
}

func TestAnImportReadsAddressesAsTheCommandsDo(t *testing.T) {
	d := newDesk(t)
	_, err := d.imports(`{"username":"joe","addresses":["192.0.2.7","::ffff:192.0.2.8","10.1.2.3/8","2001:db8::1"]}`)
	d.must(err)
	row, err := d.Account(t.Context(), "joe")
	d.must(err)
	if got, want := fmt.Sprint(row.Addresses), "[192.0.2.7/32 192.0.2.8/32 10.0.0.0/8 2001:db8::1/128]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// unplugged takes some accounts and is out of reach then.
type unplugged struct {
	store.Accounts
	left int
}

func (u *unplugged) InsertAccount(ctx context.Context, a store.Account) error {
	if u.left--; u.left < 0 {
		return auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("connection refused"))
	}
	return u.Accounts.InsertAccount(ctx, a)
}

func TestAnImportSaysHowFarItIs(t *testing.T) {
	d := newDesk(t)
	const text = "{\"username\":\"joe\"}\n\n{}\n"
	var steps []int
	_, err := d.Import(t.Context(), strings.NewReader(text), func(read int) { steps = append(steps, read) })
	if err != nil || len(steps) != 3 || steps[2] != len(text) {
		t.Errorf("steps %v of %d (%v)", steps, len(text), err)
	}
}

// A line is added whole or refused with a sentence, whatever it holds.
func FuzzImport(f *testing.F) {
	for _, s := range []string{
		`{"username":"joe"}`, `{"username":"joe","roles":["a"],"profile":{"rank":1},"settings":[{"name":"x"}]}`,
		`{`, `{}`, `null`, `{"username":"a","username":"b"}`, `{"username":null}`, "\xff", `{"username":"a"} x`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n\r") {
			t.Skip("more than a line")
		}
		d := newDesk(t)
		done, err := d.imports(line)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		d.must(d.Accounts(t.Context(), func(store.Account) error { n++; return nil }))
		if n != done.Added || done.Added+len(done.Failed) > 1 || done.Present != 0 {
			t.Errorf("%d accounts after %+v", n, done)
		}
		for _, failed := range done.Failed {
			if failed.Line != 1 || failed.Text == "" {
				t.Errorf("%+v says nothing", failed)
			}
		}
	})
}
