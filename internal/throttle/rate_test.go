package throttle

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	three := Limit{Events: 3, Window: time.Minute}
	for _, tt := range []struct {
		name string
		test func(*testing.T, *Rate, *fakeClock)
	}{
		{"the limit is let through and no more", func(t *testing.T, r *Rate, c *fakeClock) {
			for range 3 {
				expectAllow(t, r, "k", three)
				c.advance(10 * time.Second)
			}
			expectRefuse(t, r, "k", three, 30*time.Second)
			c.advance(30*time.Second - time.Nanosecond)
			expectRefuse(t, r, "k", three, time.Nanosecond)
			c.advance(time.Nanosecond)
			expectAllow(t, r, "k", three)
			expectRefuse(t, r, "k", three, 10*time.Second)
		}},
		{"a refused event does not count", func(t *testing.T, r *Rate, c *fakeClock) {
			for range 3 {
				expectAllow(t, r, "k", three)
			}
			for range 100 {
				expectRefuse(t, r, "k", three, time.Minute)
			}
			c.advance(time.Minute)
			for range 3 {
				expectAllow(t, r, "k", three)
			}
		}},
		{"keys do not share a limit, long ones neither", func(t *testing.T, r *Rate, _ *fakeClock) {
			long := strings.Repeat("x", 4096)
			for _, key := range []string{"", "k", "K", long, long + "y"} {
				for range 3 {
					expectAllow(t, r, key, three)
				}
				expectRefuse(t, r, key, three, time.Minute)
			}
		}},
		{"no limit limits nothing and remembers nothing", func(t *testing.T, r *Rate, _ *fakeClock) {
			for range 1000 {
				expectAllow(t, r, "k", Limit{})
			}
			if r.Len() != 0 {
				t.Errorf("Len = %d, want 0", r.Len())
			}
		}},
		{"two limits of one key count apart", func(t *testing.T, r *Rate, c *fakeClock) {
			for range 3 {
				expectAllow(t, r, "k", three)
			}
			for range 10 {
				expectAllow(t, r, "k", Limit{Events: 1, Window: time.Second})
				expectRefuse(t, r, "k", Limit{Events: 1, Window: time.Second}, time.Second)
				c.advance(time.Second)
			}
			expectRefuse(t, r, "k", three, 50*time.Second)
		}},
		{"a large limit outlives a clock that jumps back", func(t *testing.T, r *Rate, c *fakeClock) {
			large := Limit{Events: 1000, Window: time.Minute}
			minute := func(each int) {
				for range 15 {
					for range each {
						expectAllow(t, r, "k", large)
					}
					c.advance(large.Window / 15)
				}
			}
			minute(30)
			c.advance(-time.Hour)
			minute(10)
			c.advance(2 * large.Window)
			for range large.Events {
				expectAllow(t, r, "k", large)
			}
			expectRefuse(t, r, "k", large, large.Window)
		}},
		{"a window shorter than the clock tells holds too", func(t *testing.T, r *Rate, c *fakeClock) {
			tiny := Limit{Events: 30, Window: 15}
			for range 30 {
				expectAllow(t, r, "k", tiny)
			}
			expectRefuse(t, r, "k", tiny, 15)
			c.advance(15)
			expectAllow(t, r, "k", tiny)
		}},
		{"a steady caller at the limit is never refused when the limit is small", func(t *testing.T, r *Rate, c *fakeClock) {
			for range 500 {
				expectAllow(t, r, "k", three)
				c.advance(20 * time.Second)
			}
		}},
		{"a clock that jumps back refuses no longer than the window", func(t *testing.T, r *Rate, c *fakeClock) {
			for range 3 {
				expectAllow(t, r, "k", three)
			}
			c.advance(-87600 * time.Hour)
			expectRefuse(t, r, "k", three, time.Minute)
			c.advance(time.Minute)
			expectAllow(t, r, "k", three)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newFakeClock()
			tt.test(t, NewRate(c.now, 0), c)
		})
	}
}

func expectAllow(t *testing.T, r *Rate, key string, l Limit) {
	t.Helper()
	if retry, ok := r.Allow(key, l); !ok {
		t.Fatalf("refused for %v, want through", retry)
	}
}

func expectRefuse(t *testing.T, r *Rate, key string, l Limit, want time.Duration) {
	t.Helper()
	if retry, ok := r.Allow(key, l); ok || retry != want {
		t.Fatalf("Allow = %v, %v, want refused for %v", retry, ok, want)
	}
}

// TestRateBounds checks with random arrivals what the limiter promises: never
// more than the limit in any window, no refusal that an exact limiter with a
// window a sixteenth longer would not give too, and a retry time that is true.
func TestRateBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, events := range []int{1, 2, 5, 17, 18, 19, 40, 300} {
		t.Run(fmt.Sprintf("%d events in a minute", events), func(t *testing.T) {
			c := newFakeClock()
			r := NewRate(c.now, 0)
			limit := Limit{Events: events, Window: time.Minute}
			slack := limit.Window / grains
			if events <= 18 {
				slack = 0
			}
			var passed []time.Time
			for range 5000 {
				c.advance(time.Duration(rng.Int64N(int64(2 * limit.Window / time.Duration(events)))))
				exact, longer := 0, 0
				for _, at := range passed {
					if c.t.Sub(at) < limit.Window {
						exact++
					}
					if c.t.Sub(at) < limit.Window+slack {
						longer++
					}
				}
				retry, ok := r.Allow("k", limit)
				switch {
				case ok && exact >= events:
					t.Fatalf("event %d of a window went through", exact+1)
				case !ok && longer < events:
					t.Fatalf("refused after %d events", longer)
				case ok:
					passed = append(passed[max(0, len(passed)-events):], c.t)
				case retry <= 0 || retry > limit.Window:
					t.Fatalf("retry = %v, want within (0, 1m]", retry)
				case rng.IntN(10) == 0:
					c.advance(retry)
					expectAllow(t, r, "k", limit)
					passed = append(passed[max(0, len(passed)-events):], c.t)
				}
			}
		})
	}
}

func TestMemoryOfRate(t *testing.T) {
	one := Limit{Events: 1, Window: time.Minute}
	t.Run("the key unused for longest makes way", func(t *testing.T) {
		c := newFakeClock()
		r := NewRate(c.now, 2)
		expectAllow(t, r, "a", one)
		expectAllow(t, r, "b", one)
		expectRefuse(t, r, "a", one, time.Minute)
		expectAllow(t, r, "c", one)
		expectRefuse(t, r, "a", one, time.Minute)
		expectRefuse(t, r, "c", one, time.Minute)
		expectAllow(t, r, "b", one)
		if r.Len() != 2 {
			t.Errorf("Len = %d, want 2", r.Len())
		}
	})
	t.Run("a long key is not kept whole", func(t *testing.T) {
		r := NewRate(newFakeClock().now, 1)
		expectAllow(t, r, strings.Repeat("x", 1<<20), one)
		for key := range r.shards[0].meters {
			if len(key.name) > longKey {
				t.Errorf("%d bytes of the key are kept", len(key.name))
			}
		}
	})
	t.Run("many keys stay within the bound", func(t *testing.T) {
		r := NewRate(newFakeClock().now, 1000)
		for i := range 20_000 {
			expectAllow(t, r, fmt.Sprint(i), one)
		}
		if n := r.Len(); n > 1000 || n < 900 {
			t.Errorf("Len = %d, want nearly 1000", n)
		}
	})
}

func TestAllowDoesNotAllocate(t *testing.T) {
	r := NewRate(time.Now, 0)
	address := netip.MustParseAddr("2001:db8::1")
	for _, tt := range []struct {
		name  string
		allow func()
	}{
		{"when the key is through", func() { r.Allow("known", Limit{Events: 1 << 40, Window: time.Hour}) }},
		{"when the key is refused", func() { r.Allow("refused", Limit{Events: 1, Window: time.Hour}) }},
		{"when the key is an address", func() { r.Allow(AddressKey(address), Limit{Events: 5, Window: time.Hour}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if n := testing.AllocsPerRun(1000, tt.allow); n != 0 {
				t.Errorf("%v allocations, want 0", n)
			}
		})
	}
}

func TestAddressKey(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		same       bool
	}{
		{"an IPv4 address is itself", "192.0.2.1", "192.0.2.1", true},
		{"IPv4 neighbours differ", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 written as IPv6 is the same", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"IPv4 neighbours written as IPv6 differ", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"IPv6 addresses of one /64 are one", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"IPv6 addresses of two /64 differ", "2001:db8::1", "2001:db8:0:1::1", false},
		{"a zone says nothing", "fe80::1%eth0", "fe80::1%eth1", true},
		{"the unspecified addresses differ", "0.0.0.0", "::", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := AddressKey(netip.MustParseAddr(tt.a)), AddressKey(netip.MustParseAddr(tt.b))
			if (a == b) != tt.same {
				t.Errorf("keys %x and %x, want same %v", a, b, tt.same)
			}
		})
	}
	t.Run("no address is a key of its own", func(t *testing.T) {
		if got := AddressKey(netip.Addr{}); got != "" {
			t.Errorf("key %x, want none", got)
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	r := NewRate(time.Now, 0)
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("credential-%d", i)
	}
	limit := Limit{Events: 1 << 40, Window: time.Minute}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r.Allow(keys[i%len(keys)], limit)
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	a := NewAttempts(time.Now, 0)
	b.ReportAllocs()
	for b.Loop() {
		attempt, err := a.Begin(b.Context(), alice, five)
		if err != nil {
			b.Fatal(err)
		}
		attempt.Succeed()
	}
}
