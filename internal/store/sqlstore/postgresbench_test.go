package sqlstore

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

func benchPostgres(b *testing.B, o Options) *database {
	b.Helper()
	d, err := openPostgres(b.Context(), testserver.Postgres(b).DSN(), postgresFlavour(), o)
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

// BenchmarkPostgresInsertSession is BenchmarkInsertSession on a server that
// syncs each commit.
func BenchmarkPostgresInsertSession(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			var commits, next atomic.Int64
			d := benchPostgres(b, Options{Observe: func(op string, _ time.Duration, _ error) {
				if op == "commit" {
					commits.Add(1)
				}
			}})
			now := time.Now()
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			if callers == 1 {
				for b.Loop() {
					insertOne(b, d, uint64(next.Add(1)), now)
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						insertOne(b, d, uint64(next.Add(1)), now)
					}
				})
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(b.N)/float64(commits.Load()), "rows/commit")
		})
	}
}

// BenchmarkPostgresChanges is what writes cost that withdraw something.
func BenchmarkPostgresChanges(b *testing.B) {
	d := benchPostgres(b, Options{})
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := d.Record(context.Background(), store.Change{Kind: store.AllChanged}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// BenchmarkPostgresSession is a look-up by digest.
func BenchmarkPostgresSession(b *testing.B) {
	const rows = 100_000
	d := benchPostgres(b, Options{Wait: time.Minute})
	fill(b, d, rows)
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			var next atomic.Uint64
			ask := func() {
				by := store.SessionRef{Digest: benchSession(next.Add(7919)%rows, time.Now()).Digest}
				if _, err := d.Session(context.Background(), "default", by); err != nil {
					b.Error(err)
				}
			}
			if callers == 1 {
				for b.Loop() {
					ask()
				}
				return
			}
			b.SetParallelism(callers / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask()
				}
			})
		})
	}
}
