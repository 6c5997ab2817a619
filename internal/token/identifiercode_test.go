package token_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestACodeIsFoundAfterTheRingWasRotated(t *testing.T) {
	oldFile := token.RingFile{Name: "old", Text: token.NewRing()}
	before, err := token.ParseRing(oldFile)
	if err != nil {
		t.Fatal(err)
	}
	after, err := token.ParseRing(token.RingFile{Name: "new", Text: token.NewRing()}, oldFile)
	if err != nil {
		t.Fatal(err)
	}
	kept := token.CodeMAC(before, "default", "code")
	macs := token.CodeMACs(after, "default", "code")
	if len(macs) != 2 || macs[0] != token.CodeMAC(after, "default", "code") || macs[1] != kept {
		t.Errorf("looked up by %v, kept as %v", macs, kept)
	}
	if slices.Contains(token.CodeMACs(after, "other", "code"), kept) {
		t.Error("a code of one realm is one of another")
	}
	if kept == auth.DigestOf("code") || kept == auth.Digest(before.MAC("default", "code")) {
		t.Error("what is kept does not depend on the ring, or is kept apart from nothing")
	}
}
