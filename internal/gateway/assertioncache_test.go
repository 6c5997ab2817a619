package gateway

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
)

func TestAssertionsAreKeptUntilTheyAreRenewed(t *testing.T) {
	c, now := newAssertionCache(), time.Now()
	k := assertionKey{new(authn.Verdict), "GET", "h", "/p"}
	c.put(k, "text", now.Add(time.Second))
	if c.get(k, now) != "text" || c.get(k, now.Add(time.Second-1)) != "text" {
		t.Error("it is gone before its time")
	}
	if c.get(k, now.Add(time.Second)) != "" {
		t.Error("it serves after its time")
	}
	for _, other := range []assertionKey{
		{new(authn.Verdict), "GET", "h", "/p"},
		{k.verdict, "POST", "h", "/p"},
		{k.verdict, "GET", "i", "/p"},
		{k.verdict, "GET", "h", "/q"},
		{k.verdict, "GE", "Th", "/p"},
		{nil, "GET", "h", "/p"},
	} {
		if c.get(other, now) != "" {
			t.Errorf("it serves for %+v", other)
		}
	}
}

// TestTheCacheOfAssertionsIsBounded however many and however long the paths are
// that clients ask for.
func TestTheCacheOfAssertionsIsBounded(t *testing.T) {
	v, now := new(authn.Verdict), time.Now()
	for name, padding := range map[string]int{"many": 0, "long": 4000} {
		t.Run(name, func(t *testing.T) {
			c := newAssertionCache()
			k := assertionKey{v, "GET", "h", ""}
			for i := range 3 * assertionEntries {
				k.path = "/" + strconv.Itoa(i) + strings.Repeat("x", padding)
				c.put(k, strings.Repeat("t", 700), now.Add(time.Minute))
				if c.get(k, now) == "" {
					t.Fatal("what was just kept is not there")
				}
				if c.bytes > assertionBytes || len(c.young) > assertionEntries || len(c.old) > assertionEntries {
					t.Fatalf("%d bytes, %d and %d entries", c.bytes, len(c.young), len(c.old))
				}
			}
			held := 0
			for _, generation := range []map[assertionKey]asserted{c.young, c.old} {
				for k, a := range generation {
					held += len(k.path) + len(a.text)
				}
			}
			if held > 2*assertionBytes || held == 0 {
				t.Errorf("%d bytes are held", held)
			}
		})
	}
}

func TestAnAssertionThatIsReplacedIsCountedOnce(t *testing.T) {
	c, now := newAssertionCache(), time.Now()
	k := assertionKey{new(authn.Verdict), "GET", "h", "/p"}
	for range 10 {
		c.put(k, "text", now)
	}
	if c.bytes != len("GET")+len("h")+len("/p")+len("text") {
		t.Errorf("%d bytes are counted", c.bytes)
	}
}
