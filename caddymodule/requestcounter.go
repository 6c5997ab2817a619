package caddymodule

import (
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/prometheus/client_golang/prometheus"
)

// otherLabel is the label of what is not in a closed set.
const otherLabel = "other"

// reasonLabels are the values of the label reason, "" first: the commonest.
var reasonLabels = func() []auth.Reason {
	labels := []auth.Reason{
		"",
		auth.ReasonUnknown, auth.ReasonExpired, auth.ReasonRevoked, auth.ReasonReplayed, auth.ReasonDisabled, auth.ReasonPassword,
		auth.ReasonSignature, auth.ReasonMismatch, auth.ReasonAmbiguous, auth.ReasonDuplicate, auth.ReasonForm,
		auth.ReasonTooLarge, auth.ReasonMediaType, auth.ReasonPath, auth.ReasonMethod, auth.ReasonAddress,
		auth.ReasonRole, auth.ReasonScope, auth.ReasonPermission, auth.ReasonTenant, auth.ReasonSubject,
		auth.ReasonAttempts, auth.ReasonRate, auth.ReasonQueue, auth.ReasonStore, auth.ReasonStarting,
		auth.ReasonTimeout, auth.ReasonCleartext, auth.ReasonEarlyData, auth.ReasonUnsupported, auth.ReasonIssuer, auth.ReasonAudience,
		auth.ReasonKeyRing,
	}
	for _, c := range auth.Codes() { // a refusal without a reason is labelled by its code
		labels = append(labels, auth.Reason(c.String()))
	}
	return append(labels, otherLabel)
}()

// requestCounter counts guarded requests by how they ended and why. Every
// combination has its counter from the start, so that counting is one atomic
// addition, without a lock or an allocation; those that never happened are not
// shown.
type requestCounter struct {
	desc   *prometheus.Desc
	index  map[auth.Reason]int
	counts [len(gateway.Outcomes)][]atomic.Uint64
}

func newRequestCounter() *requestCounter {
	c := &requestCounter{
		desc: prometheus.NewDesc("gatehouse_requests_total",
			"Guarded requests, by verdict and the reason for it.", []string{"verdict", "reason"}, nil),
		index: make(map[auth.Reason]int, len(reasonLabels)),
	}
	for i, reason := range reasonLabels {
		c.index[reason] = i
	}
	for i := range c.counts {
		c.counts[i] = make([]atomic.Uint64, len(reasonLabels))
	}
	return c
}

// count counts one request.
func (c *requestCounter) count(o gateway.Outcome, reason auth.Reason) {
	if int(o) >= len(c.counts) {
		return
	}
	at := 0
	if reason != "" {
		var known bool
		if at, known = c.index[reason]; !known {
			at = len(reasonLabels) - 1
		}
	}
	c.counts[o][at].Add(1)
}

// Describe sends the one description that there is.
func (c *requestCounter) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect sends the counters that are not 0.
func (c *requestCounter) Collect(ch chan<- prometheus.Metric) {
	for o := range c.counts {
		for i := range c.counts[o] {
			n := c.counts[o][i].Load()
			if n == 0 {
				continue
			}
			metric, err := prometheus.NewConstMetric(c.desc, prometheus.CounterValue, float64(n),
				gateway.Outcomes[o], string(reasonLabels[i]))
			if err != nil {
				metric = prometheus.NewInvalidMetric(c.desc, err)
			}
			ch <- metric
		}
	}
}
