package sqlstore

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hosts is with which of several servers, or of several addresses of one name, a
// new connection begins. The driver tries the others after it; but one that says
// nothing, as where a machine is gone, takes all the time that there is. So
// whoever looks for the server and does not find it has the next come first,
// until one is found.
type hosts struct {
	mu   sync.Mutex
	turn int
}

func (h *hosts) now() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.turn
}

// skip ends a turn, unless another did so meanwhile.
func (h *hosts) skip(turn int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.turn == turn {
		h.turn++
	}
}

// order has c begin with the server whose turn it is, and at each round through
// all of them with another address of a name.
func (h *hosts) order(c *pgx.ConnConfig) {
	turn := h.now()
	servers := serversOf(c)
	n := len(servers)
	all := slices.Concat(rotated(servers, turn)...)
	c.Host, c.Port, c.TLSConfig, c.Fallbacks = all[0].Host, all[0].Port, all[0].TLSConfig, all[1:]
	look := c.LookupFunc
	c.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
		addresses, err := look(ctx, host)
		return rotated(addresses, turn/n), err
	}
}

// serversOf are those that c names: each with the ways to speak with it, over TLS
// and without.
func serversOf(c *pgx.ConnConfig) (servers [][]*pgconn.FallbackConfig) {
	all := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	for _, one := range all {
		k := slices.IndexFunc(servers, func(s []*pgconn.FallbackConfig) bool { return s[0].Host == one.Host && s[0].Port == one.Port })
		if k < 0 {
			k, servers = len(servers), append(servers, nil)
		}
		servers[k] = append(servers[k], one)
	}
	return servers
}

// rotated is a list that begins with its nth, counted around.
func rotated[T any](list []T, n int) []T {
	if len(list) == 0 {
		return list
	}
	n %= len(list)
	return slices.Concat(list[n:], list[:n])
}
