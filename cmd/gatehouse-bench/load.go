package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// roundTimeout bounds a round, so that a proxy that hangs ends the run.
const roundTimeout = 2 * time.Minute

// send makes o.requests requests over o.connections connections that stay
// open, and fails on the first answer that is not 200.
func send(ctx context.Context, o options, address string, tokens []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, roundTimeout, fmt.Errorf("a round took more than %s", roundTimeout))
	defer cancel()
	var next atomic.Int64
	errs := make(chan error, o.connections)
	var all sync.WaitGroup
	for range o.connections {
		all.Go(func() {
			if err := sendOn(ctx, address, &next, int64(o.requests), tokens); err != nil {
				cancel()
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

func sendOn(ctx context.Context, address string, next *atomic.Int64, limit int64, tokens []string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	answers := bufio.NewReader(c)
	for {
		i := next.Add(1) - 1
		if i >= limit {
			return nil
		}
		_, err := fmt.Fprintf(c, "GET /things/%d HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"+
			"Accept: application/json\r\nUser-Agent: gatehouse-bench\r\n\r\n", i%100, tokens[int(i)%len(tokens)])
		if err != nil {
			return err
		}
		if err := readAnswer(answers); err != nil {
			return err
		}
	}
}

func readAnswer(r *bufio.Reader) error {
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("a request was answered %s", answer.Status)
	}
	return nil
}
