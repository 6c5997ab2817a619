package sqlstore

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// TestEveryAddressOfEveryServerHasItsTurn goes round two servers of two addresses
// each, and gives each of them what the driver tries first.
func TestEveryAddressOfEveryServerHasItsTurn(t *testing.T) {
	config, err := pgx.ParseConfig("postgres://gatehouse@one:1,two:2/gatehouse?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host + "a", host + "b"}, nil }
	h := new(hosts)
	var seen []string
	for range 4 {
		c := config.Copy()
		h.order(c)
		if len(c.Fallbacks) != 3 || c.Fallbacks[0].Host != c.Host || c.TLSConfig == nil || c.Fallbacks[0].TLSConfig != nil {
			t.Fatalf("a server is not tried with and without TLS before the other: %v", c.Fallbacks)
		}
		addresses, err := c.LookupFunc(t.Context(), c.Host)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, addresses[0])
		turn := h.now()
		h.skip(turn)
		h.skip(turn) // another that began with the same server
	}
	if want := []string{"onea", "twoa", "oneb", "twob"}; !slices.Equal(seen, want) {
		t.Errorf("tried first were %v, want %v", seen, want)
	}
}

func TestTheFirstConnectionWaitsForAServerThatIsSlow(t *testing.T) {
	pg := testserver.Postgres(t)
	pg.Pause()
	pg.ResumeAfter(3 * connectWait)
	insert(t, openServer(t, pg.DSN(), patient), 0)
}
