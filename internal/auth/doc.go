// Package auth holds the words that every other package shares: who a caller
// is ([Principal]), what went wrong ([Code], [Error]), what may be printed
// ([Secret]) and how a secret is stored ([Digest]).
//
// It imports the standard library only, does no I/O and carries no struct
// tags: how these words look on a wire, in a row or in a configuration is the
// business of the package that owns that wire, row or configuration.
package auth
