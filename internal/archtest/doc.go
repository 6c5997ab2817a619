// Package archtest holds the rules of the tree as tests: which package may
// import which, how long a file may be, what may not be written anywhere. It
// has no code of its own.
package archtest
