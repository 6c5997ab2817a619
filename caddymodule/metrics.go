package caddymodule

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the gateway's figures. Caddy makes a new registry for every
// configuration it loads; metrics outlive them and are registered into each,
// so that no counter starts over at a reload.
//
// No label names a caller, a credential or a path: every label comes from a
// closed set.
type metrics struct {
	requests   *requestCounter
	logins     *prometheus.CounterVec
	store      *prometheus.HistogramVec
	failures   *prometheus.CounterVec
	sources    atomic.Pointer[metricSources]
	collectors []prometheus.Collector
}

// metricSources are where figures come from that others keep. A nil member
// reads as 0.
type metricSources struct {
	// Cache returns the counters of the verdict cache.
	Cache func() authn.Stats
	// HashQueue returns how many password checks wait for their turn.
	HashQueue func() int
	// Feeds returns how the feeds of changes stand.
	Feeds func() []authn.FeedState
}

// storeBuckets reach from a point lookup in memory, in seconds, to what the
// gateway gives up on.
var storeBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newMetrics() *metrics {
	m := &metrics{
		requests: newRequestCounter(),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_logins_total",
			Help: "Logins, by dialect and outcome: ok, or the class of the failure.",
		}, []string{"dialect", "outcome"}),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "gatehouse_store_seconds",
			Help:    "Time that operations of the store took, in seconds.",
			Buckets: storeBuckets,
		}, []string{"op"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_store_failures_total",
			Help: "Operations of the store that failed by no fault of who asked: it is out of reach, full, locked or damaged.",
		}, []string{"op"}),
	}
	m.collectors = []prometheus.Collector{
		m.requests, m.logins, m.store, m.failures,
		feedCollector{m},
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "gatehouse_cache_hits_total",
			Help: "Credentials that were answered from the verdict cache.",
		}, func() float64 { return float64(m.cache().Hits) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "gatehouse_cache_misses_total",
			Help: "Credentials that had to be looked up or verified.",
		}, func() float64 { return float64(m.cache().Misses) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gatehouse_cache_entries",
			Help: "Verdicts that the cache holds.",
		}, func() float64 { return float64(m.cache().Entries) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gatehouse_hash_queue",
			Help: "Password checks that wait for their turn.",
		}, m.hashQueue),
	}
	return m
}

// register adds the metrics to a registry. One that has them already is left
// alone.
func (m *metrics) register(reg prometheus.Registerer) error {
	for _, c := range m.collectors {
		if err := reg.Register(c); err != nil && !isRegistered(err) {
			return err
		}
	}
	return nil
}

func isRegistered(err error) bool {
	_, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
	return ok
}

// follow takes figures from these sources from now on, until others are followed
// or leave is called.
func (m *metrics) follow(s metricSources) (leave func()) {
	m.sources.Store(&s)
	return func() { m.sources.CompareAndSwap(&s, nil) }
}

func (m *metrics) cache() authn.Stats {
	if s := m.sources.Load(); s != nil && s.Cache != nil {
		return s.Cache()
	}
	return authn.Stats{}
}

func (m *metrics) hashQueue() float64 {
	if s := m.sources.Load(); s != nil && s.HashQueue != nil {
		return float64(s.HashQueue())
	}
	return 0
}

// countLogin counts a login. code is why it failed and means nothing where ok
// is set.
func (m *metrics) countLogin(dialectName string, ok bool, code auth.Code) {
	outcome := "ok"
	if !ok {
		outcome = code.String()
	}
	if !slices.Contains(dialectNames(), dialectName) {
		dialectName = otherLabel
	}
	m.logins.WithLabelValues(dialectName, outcome).Inc()
}

// observeStore records how long an operation of the store took, and what it came
// to. op is the name of the operation, one of a few in the program's own text. A
// transaction that many share fails for each of them, under their own names.
func (m *metrics) observeStore(op string, took time.Duration, err error) {
	m.store.WithLabelValues(op).Observe(took.Seconds())
	if _, told := errors.AsType[*auth.Error](err); !told || errors.Is(err, context.Canceled) {
		return
	}
	if code := auth.CodeOf(err); code == auth.Unavailable || code == auth.Internal {
		m.failures.WithLabelValues(op).Inc()
	}
}
