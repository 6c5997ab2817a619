// Package throttle limits how often something may happen: failed logins per
// account and per address ([Attempts]), and requests per caller ([Rate]).
//
// Both keep their state in memory, within bounds that no caller can move, and
// are made to outlive a change of the configuration: the limit is handed in
// with every call, the state stays with its owner. Neither starts a goroutine;
// what is past its time goes a few entries at a time while others come.
//
// The clock should carry Go's monotonic reading ([time.Now] does, its UTC
// method drops it): then a wall clock that jumps changes nothing. Without one,
// a jump backwards makes no limit last longer than its window from the moment
// that it is seen.
//
// The package knows neither accounts nor requests, only keys.
package throttle
