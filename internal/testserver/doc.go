// Package testserver starts the servers that stores speak to, from the binaries
// on this machine, for tests: each in a temporary folder of its own, on a Unix
// socket or on ports that were free a moment ago, and ended with the test.
//
// A server can be stopped, killed, paused and started again on the same data,
// since what a store does meanwhile is what is tested. Where the binary is
// absent the test is skipped and says so; where CI=true it fails.
package testserver
