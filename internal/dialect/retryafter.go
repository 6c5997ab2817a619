package dialect

import (
	"math"
	"strconv"
	"time"
)

// RetryAfter returns the value of Retry-After (RFC 9110 section 10.2.3): whole
// seconds, rounded up, of which there is at least one, so that nobody comes
// back at once.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}
