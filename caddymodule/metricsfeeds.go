package caddymodule

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// feedCollector tells how long each feed of changes has been silent: what a
// gateway cannot learn of others while its store is out of reach shows there
// first, also where nobody logs in.
type feedCollector struct{ m *metrics }

var feedLag = prometheus.NewDesc("gatehouse_feed_lag_seconds",
	"Time since all changes that others made were last known to be known, in seconds; +Inf where they never were.",
	[]string{"feed"}, nil)

// Describe implements [prometheus.Collector].
func (feedCollector) Describe(to chan<- *prometheus.Desc) { to <- feedLag }

// Collect implements [prometheus.Collector].
func (c feedCollector) Collect(to chan<- prometheus.Metric) {
	from := c.m.sources.Load()
	if from == nil || from.Feeds == nil {
		return
	}
	for i, f := range from.Feeds() {
		lag := math.Inf(1)
		if f.Heard {
			lag = f.Silent.Seconds()
		}
		to <- prometheus.MustNewConstMetric(feedLag, prometheus.GaugeValue, lag, string(gateway.Parts[i]))
	}
}
