package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/rueidis"
)

// unopened says in one sentence why a server could not be spoken with.
func unopened(where rueidis.ClientOption, err error) error {
	at := strings.Join(where.InitAddress, ", ")
	if e, told := rueidis.IsRedisErr(err); told {
		return fmt.Errorf("the session store at %s %s: %w", at, refusal(e.Error()), err)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && where.TLSConfig != nil:
		return fmt.Errorf("the session store at %s does not answer as over TLS: %w", at, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the session store at %s does not answer: %w", at, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the session store at %s ends the connection, as what is no Redis would: %w", at, err)
	}
	return fmt.Errorf("the session store at %s cannot be opened: %w", at, err)
}

// refusal says what an error of the server means to who connects.
func refusal(text string) string {
	switch {
	case strings.HasPrefix(text, "WRONGPASS"), strings.HasPrefix(text, "NOAUTH"):
		return "refuses this user or password"
	case strings.Contains(text, "cluster support disabled"):
		return "is no cluster: name one server, or several of one cluster"
	}
	return "cannot be opened"
}
