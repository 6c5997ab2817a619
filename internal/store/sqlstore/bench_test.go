package sqlstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// benchSession is the n-th of many sessions: spread over the indexes as random
// tokens are, in the order of time as they are issued.
func benchSession(n uint64, now time.Time) store.Session {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	d := auth.DigestOf(string(b[:]))
	return store.Session{
		ID:    fmt.Sprintf("%x-%x-%x-%x-%x", d[0:4], d[4:6], d[6:8], d[8:10], d[10:16]),
		Realm: "default", Digest: d, Dialect: "timed_login", Kind: store.AccessToken,
		Subject: fmt.Sprintf("%x-0000-4000-8000-000000000000", n%5000), Tenant: "acme", KeyID: 1 + int64(n%1000),
		Issued: now, Updated: now, Expires: now.Add(time.Hour), Keep: now.Add(2 * time.Hour),
	}
}

func openBench(b *testing.B, o Options) *database {
	b.Helper()
	d, err := openSQLite(context.Background(), filepath.Join(b.TempDir(), "gatehouse.db"), sqliteFlavour(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.shut(); err != nil {
			b.Error(err)
		}
	})
	return d
}

// fill adds n sessions.
func fill(b *testing.B, d *database, n int) {
	b.Helper()
	now := time.Now()
	for start := 0; start < n; start += 1000 {
		rows := make([]store.Session, 0, 1000)
		for i := start; i < min(start+1000, n); i++ {
			rows = append(rows, benchSession(uint64(i), now))
		}
		if err := d.InsertSession(context.Background(), rows...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInsertSession is what a burst of logins costs the store: every
// insert is durable when it returns.
func BenchmarkInsertSession(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			var commits atomic.Int64
			d := openBench(b, Options{Observe: func(op string, _ time.Duration, _ error) {
				if op == "commit" {
					commits.Add(1)
				}
			}})
			var next atomic.Uint64
			now := time.Now()
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			if callers == 1 {
				for b.Loop() {
					insertOne(b, d, next.Add(1), now)
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						insertOne(b, d, next.Add(1), now)
					}
				})
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(b.N)/float64(commits.Load()), "rows/commit")
		})
	}
}

func insertOne(b *testing.B, d *database, n uint64, now time.Time) {
	if err := d.InsertSession(context.Background(), benchSession(n, now)); err != nil {
		b.Error(err)
	}
}

// BenchmarkSession is a look-up by digest among many rows.
func BenchmarkSession(b *testing.B) {
	for _, rows := range []int{1_000, 300_000} {
		d := openBench(b, Options{})
		fill(b, d, rows)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.Run(fmt.Sprintf("%d rows", rows), func(b *testing.B) {
			b.ReportAllocs()
			took := make([]time.Duration, 0, 1<<20)
			for n := uint64(1); b.Loop(); n++ {
				by := store.SessionRef{Digest: benchSession(n*7919%uint64(rows), time.Now()).Digest}
				start := time.Now()
				if _, err := d.Session(ctx, "default", by); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
		b.Run(fmt.Sprintf("%d rows, parallel", rows), func(b *testing.B) {
			var next atomic.Uint64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					by := store.SessionRef{Digest: benchSession(next.Add(7919)%uint64(rows), time.Now()).Digest}
					if _, err := d.Session(ctx, "default", by); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
