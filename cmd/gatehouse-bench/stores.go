package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// storesRun is one measurement of a store that holds many sessions.
type storesRun struct {
	sessions int
	// span is how long each rate is measured, and lookups how many make a
	// percentile.
	span    time.Duration
	lookups int
	where   string
	url     string
	// settings are of the server that is started where no url is given.
	settings []string
	out      io.Writer

	place place
	store store.Store
	// subjects are the accounts whose sessions they are.
	subjects []string
	// added counts sessions that the rates left behind.
	added int
}

// measureStores is the role `stores`.
func measureStores(args []string) error {
	r := storesRun{out: os.Stdout}
	flags := flag.NewFlagSet("stores", flag.ExitOnError)
	flags.IntVar(&r.sessions, "sessions", 1_000_000, "live sessions in the store")
	flags.IntVar(&r.lookups, "lookups", 50_000, "look-ups that a percentile is of, and uncached requests to the gateway")
	flags.DurationVar(&r.span, "span", 10*time.Second, "how long each rate of inserts is measured")
	flags.StringVar(&r.where, "store", "sqlite", "sqlite, postgres or redis (which has accounts in SQLite)")
	flags.StringVar(&r.url, "url", "", "an empty server to use; without one a local server is started in a temporary folder")
	flags.Func("setting", "a setting of the server that is started, e.g. 'shared_buffers=1GB' or 'appendfsync everysec' (repeatable)", func(s string) error {
		r.settings = append(r.settings, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("stores takes no argument %q", flags.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return r.run(ctx)
}

// run measures and prints; whatever it started is gone afterwards.
func (r *storesRun) run(ctx context.Context) (err error) {
	if r.sessions < 100 || r.sessions > 100_000_000 || r.lookups < 1 || r.span <= 0 {
		return errors.New("sessions is a number of at least 100, lookups one of at least 1, span a time")
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	h := &harness{ctx: ctx}
	defer func() { err = errors.Join(err, h.close()) }()
	if r.place, err = newPlace(h, r.where, dir, r.url, r.settings); err != nil {
		return err
	}
	if r.store, err = r.place.open(ctx); err != nil {
		return err
	}
	if err := r.measureStore(ctx); err != nil {
		return errors.Join(err, r.store.Close())
	}
	if err := r.measureSweep(ctx); err != nil { // which closes the store
		return err
	}
	return r.measureGateway(ctx, dir)
}

// say prints one figure.
func (r *storesRun) say(what, format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, "%-34s %s\n", what, fmt.Sprintf(format, args...))
}

// measureStore fills the store and measures what it then does.
func (r *storesRun) measureStore(ctx context.Context) error {
	if err := r.place.empty(ctx, r.store); err != nil {
		return err
	}
	if err := r.addSubjects(ctx); err != nil {
		return err
	}
	before, err := r.place.size(ctx)
	if err != nil {
		return err
	}
	took, err := r.fill(ctx)
	if err != nil {
		return err
	}
	r.say("store", "%s", r.place.name)
	r.say("sessions", "%d", r.sessions)
	r.say("filled, in batches of 200", "%.0f/s", float64(r.sessions)/took.Seconds())
	after, err := r.place.size(ctx)
	if err != nil {
		return err
	}
	for i, s := range after {
		r.say(s.of, "%s, %.0f bytes a session", megabytes(s.bytes), float64(s.bytes-before[i].bytes)/float64(r.sessions))
	}
	quiet, err := r.lookUp(ctx, func() bool { return false })
	if err != nil {
		return err
	}
	r.say("look-ups, uncached", "%s", quiet)
	for _, callers := range []int{1, 64, 256} {
		rate, failed, err := r.insertRate(ctx, callers)
		if err != nil {
			return err
		}
		note := ""
		if failed > 0 {
			note = fmt.Sprintf(", and %d that were answered unavailable", failed)
		}
		r.say(fmt.Sprintf("inserts, %d callers", callers), "%.0f/s%s", rate, note)
	}
	return nil
}

func (r *storesRun) addSubjects(ctx context.Context) error {
	a := admin.Admin{Store: r.store, Hasher: password.New(password.Options{}), Now: time.Now, Realm: gateway.DefaultRealm}
	for i := range max(1, min(1000, r.sessions/1000)) {
		account, err := a.AddAccount(ctx, admin.NewAccount{Username: fmt.Sprint("bench", i), Roles: []string{"reader"}})
		if err != nil {
			return err
		}
		r.subjects = append(r.subjects, account.ID)
	}
	return nil
}

// measureGateway runs a gateway on the store, has it look up distinct tokens,
// and tells its memory.
func (r *storesRun) measureGateway(ctx context.Context, dir string) error {
	collectAsUsual = true // its memory is what is asked
	w := &world{folder: dir}
	defer func() { w.folder = ""; w.close() }()
	var err error
	if w.upstream, err = startProxy(ctx, dir, "upstream", ""); err != nil {
		return err
	}
	w.guarded, err = w.start(ctx, "\tgatehouse {\n\t\t"+strings.Join(r.place.lines, "\n\t\t")+"\n\t}\n", "\tgatehouse {\n\t\taccept bearer\n\t}\n")
	if err != nil {
		return err
	}
	idle, err := w.guarded.resident()
	if err != nil {
		return err
	}
	n := min(r.lookups, r.sessions)
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = tokenOf(i)
	}
	began := time.Now()
	if err := send(ctx, options{requests: n, connections: 8}, w.guarded.address, tokens); err != nil {
		return err
	}
	rate := float64(n) / time.Since(began).Seconds()
	busy, err := w.guarded.resident()
	if err != nil {
		return err
	}
	r.say("gateway's memory, started", "%s resident", megabytes(idle))
	r.say(fmt.Sprintf("after %d distinct tokens", n), "%s resident, %.0f requests/s", megabytes(busy), rate)
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
