// Command gatehouse-bench measures what the guard costs: it runs Caddy as a
// reverse proxy without it and with it, in turn, in front of one small
// upstream, and prints the CPU time that each request took in the proxy's own
// process, and the ratio.
//
// Both proxies are the same binary, so that the only difference is the
// gatehouse handler in the route. CPU time is asked of the process itself
// (getrusage), so neither the load nor the upstream counts. All of it runs on
// loopback and stops by itself.
//
// `gatehouse-bench stores` measures a store that holds many sessions: its size,
// look-ups, inserts and the sweep, and the memory of a gateway on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			exit(role(os.Args[2:]))
		}
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 8, "how often each proxy is measured, in turn")
	flag.IntVar(&o.requests, "requests", 20_000, "requests a round")
	flag.IntVar(&o.connections, "connections", 8, "connections that send them")
	flag.IntVar(&o.tokens, "tokens", 100, "bearer tokens that take turns")
	flag.BoolVar(&collectAsUsual, "default-gc", false, "leave the garbage collector as it is, instead of giving both heaps one limit")
	flag.Parse()
	if err := o.check(); err != nil {
		fmt.Fprintln(os.Stderr, "gatehouse-bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(o.run(ctx))
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "gatehouse-bench:", err)
	os.Exit(1)
}

type options struct{ rounds, requests, connections, tokens int }

func (o options) check() error {
	for _, n := range []int{o.rounds, o.requests, o.connections, o.tokens} {
		if n < 1 || n > 10_000_000 {
			return fmt.Errorf("rounds, requests, connections and tokens are numbers of at least 1")
		}
	}
	return nil
}

// run measures and prints.
func (o options) run(ctx context.Context) error {
	w, err := newWorld(ctx, o.tokens)
	if err != nil {
		return err
	}
	defer w.close()
	fmt.Printf("%d rounds of %d requests over %d connections, %d tokens\n", o.rounds, o.requests, o.connections, o.tokens)
	fmt.Printf("%-6s %16s %16s %8s\n", "round", "bare µs/request", "guarded", "ratio")
	var all []round
	for i := -1; i < o.rounds; i++ { // the first one warms up
		r, err := w.round(ctx, o, i%2 == 0)
		if err != nil {
			return err
		}
		if i < 0 {
			continue
		}
		all = append(all, r)
		fmt.Printf("%-6d %16.1f %16.1f %8.3f\n", i+1, r.bare, r.guarded, r.guarded/r.bare)
	}
	bare, guarded, ratio := medians(all)
	fmt.Printf("%-6s %16.1f %16.1f %8.3f\n", "median", bare, guarded, ratio)
	return nil
}
