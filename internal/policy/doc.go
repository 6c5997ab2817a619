// Package policy says whether a caller may make a request: how a path is read
// and matched, and what is required of a principal. It is pure: no I/O, no
// clock, and an answer with a reason.
//
// A path is read in one way only. Where an upstream could read it differently
// the request is refused, so that what was decided on is what is served.
// What opens a path (public) matches to the letter; what closes one (require)
// matches every spelling that an upstream could take for it.
package policy
