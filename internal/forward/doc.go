// Package forward decides what an upstream is told about a caller: it removes
// every field with which a client could pose as somebody, and sets ours.
//
// Names are compared as the most careless upstream would: in any case, and
// with every character that is neither letter nor digit alike, since CGI and
// its heirs make an underscore of it. Who the caller is, is not this package's
// business.
package forward
