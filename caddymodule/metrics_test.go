package caddymodule

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/prometheus/client_golang/prometheus"
)

// gather returns the samples of a registry as `name{label="value"}` and value.
func gather(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			samples[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return samples
}

func TestMetrics(t *testing.T) {
	m := newMetrics()
	first := prometheus.NewRegistry()
	if err := m.register(first); err != nil {
		t.Fatal(err)
	}
	m.requests.count(gateway.Passed, "")
	m.requests.count(gateway.Passed, "")
	m.requests.count(gateway.Refused, auth.ReasonExpired)
	m.requests.count(gateway.Refused, auth.Reason(auth.NoCredential.String()))
	m.requests.count(gateway.Refused, "api_5e0f3c52a1b84d6c")
	m.requests.count(gateway.Outcome(200), "")
	m.countLogin("management", true, auth.Internal)
	m.countLogin("management", false, auth.Throttled)
	m.countLogin("bob", false, auth.InvalidCredential)
	m.observeStore("session_by_digest", time.Millisecond, nil)
	m.observeStore("session_by_digest", time.Millisecond, auth.Fail(auth.NotFound, auth.ReasonUnknown, nil))
	m.observeStore("session_by_digest", time.Millisecond, auth.Fail(auth.Unavailable, auth.ReasonStore, context.Canceled))
	m.observeStore("commit", time.Millisecond, errors.New("told under the name of each that shares it"))
	m.observeStore("account", time.Millisecond, auth.Fail(auth.Unavailable, auth.ReasonStore, nil))

	t.Run("sources that are not there read as 0", func(t *testing.T) {
		if got := gather(t, first)["gatehouse_cache_hits_total{}"]; got != 0 {
			t.Error(got)
		}
	})
	left := m.follow(metricSources{})
	leave := m.follow(metricSources{
		Cache:     func() authn.Stats { return authn.Stats{Hits: 7, Misses: 3, Entries: 2} },
		HashQueue: func() int { return 4 },
		Feeds:     func() []authn.FeedState { return []authn.FeedState{{Heard: true, Silent: 1500 * time.Millisecond}, {}} },
	})
	left() // which is followed no more: the others are
	want := map[string]float64{
		"gatehouse_requests_total{reason=,verdict=passed}":                 2,
		"gatehouse_requests_total{reason=expired,verdict=refused}":         1,
		"gatehouse_requests_total{reason=no_credential,verdict=refused}":   1,
		"gatehouse_requests_total{reason=other,verdict=refused}":           1,
		"gatehouse_logins_total{dialect=management,outcome=ok}":            1,
		"gatehouse_logins_total{dialect=management,outcome=throttled}":     1,
		"gatehouse_logins_total{dialect=other,outcome=invalid_credential}": 1,
		"gatehouse_store_seconds{op=session_by_digest}":                    3,
		"gatehouse_store_seconds{op=commit}":                               1,
		"gatehouse_store_seconds{op=account}":                              1,
		"gatehouse_store_failures_total{op=account}":                       1,
		"gatehouse_feed_lag_seconds{feed=store}":                           1.5,
		"gatehouse_feed_lag_seconds{feed=sessions}":                        math.Inf(1),
		"gatehouse_cache_hits_total{}":                                     7,
		"gatehouse_cache_misses_total{}":                                   3,
		"gatehouse_cache_entries{}":                                        2,
		"gatehouse_hash_queue{}":                                           4,
	}
	for name, reg := range map[string]*prometheus.Registry{
		"the registry shows what was counted":                          first,
		"the registry of the next configuration shows the same counts": prometheus.NewRegistry(),
	} {
		t.Run(name, func(t *testing.T) {
			if err := m.register(reg); err != nil {
				t.Fatal(err)
			}
			got := gather(t, reg)
			for sample, value := range want {
				if got[sample] != value {
					t.Errorf("%s = %v, want %v", sample, got[sample], value)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d samples, want %d: %v", len(got), len(want), got)
			}
		})
	}
	t.Run("the documentation names them all", func(t *testing.T) {
		page, err := os.ReadFile("../docs/logs-and-metrics.md")
		if err != nil {
			t.Fatal(err)
		}
		for sample := range want {
			name, _, _ := strings.Cut(sample, "{")
			if !strings.Contains(string(page), "| `"+name+"` |") {
				t.Errorf("it does not name %s", name)
			}
		}
	})
	t.Run("a feed that is followed no more has no lag", func(t *testing.T) {
		leave()
		if _, ok := gather(t, first)["gatehouse_feed_lag_seconds{feed=store}"]; ok {
			t.Error("it has one")
		}
	})
}

func TestMetricsTellANameThatIsTaken(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "gatehouse_hash_queue", Help: "Something else."}))
	if err := newMetrics().register(reg); err == nil {
		t.Error("a name with another meaning was accepted")
	}
}

func TestCountingARequestDoesNotAllocate(t *testing.T) {
	c := newRequestCounter()
	if n := testing.AllocsPerRun(100, func() {
		c.count(gateway.Passed, "")
		c.count(gateway.Refused, auth.ReasonRevoked)
		c.count(gateway.Refused, "unheard of")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestReasonLabelsAreComplete reads the reasons of package auth from its
// source: a new one must not end up as "other".
func TestReasonLabelsAreComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/auth/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found int
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		reason, err := strconv.Unquote(literal.Value)
		if err != nil || !slices.Contains(reasonLabels, auth.Reason(reason)) {
			t.Errorf("%s has no label", literal.Value)
		}
		found++
		return true
	})
	if found < 20 {
		t.Errorf("only %d reasons were found", found)
	}
}

func BenchmarkCountRequest(b *testing.B) {
	c := newRequestCounter()
	b.ReportAllocs()
	for b.Loop() {
		c.count(gateway.Passed, "")
	}
}
