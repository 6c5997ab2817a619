package sqlstore

import "testing"

func TestConnectionsThatAreSharedAreTold(t *testing.T) {
	for _, one := range []struct {
		name         string
		mine, others []uint32
		want         bool
	}{
		{"each has its own", []uint32{1, 1, 1}, []uint32{2, 2, 2}, false},
		{"both have one", []uint32{1, 1, 1}, []uint32{1, 1, 1}, true},
		{"they take what is free", []uint32{1, 1, 3}, []uint32{2, 2, 2}, true},
		{"the other takes what is free", []uint32{1, 1, 1}, []uint32{2, 3, 2}, true},
	} {
		t.Run(one.name, func(t *testing.T) {
			if got := shared(one.mine, one.others); got != one.want {
				t.Errorf("got %t, want %t", got, one.want)
			}
		})
	}
}
