package dialect

import (
	"math"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		-time.Second:                 "1",
		0:                            "1",
		time.Nanosecond:              "1",
		time.Second:                  "1",
		time.Second + 1:              "2",
		5 * time.Minute:              "300",
		time.Duration(math.MaxInt64): "9223372037",
	} {
		if got := RetryAfter(wait); got != want {
			t.Errorf("%v is written %q, want %q", wait, got, want)
		}
	}
}
