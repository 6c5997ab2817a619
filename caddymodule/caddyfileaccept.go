package caddymodule

import "github.com/gatehouse-auth/gatehouse/internal/auth"

// accept reads
//
//	accept <credential…>
//	accept api_key <header field>
//	accept query <parameter>
//	accept body <member>
//
// A credential with an argument stands alone on its line. The order of lines
// and words is the order of trial.
func (b *siteBlock) accept() error {
	args := b.RemainingArgs()
	if len(args) == 0 {
		return wrongCount(b.Dispenser, "accept <credential…>")
	}
	for i, a := range acceptLine(args) {
		if i > 0 && !isCredentialKind(a.Kind) && takesName(args[i-1]) {
			return b.Errf("%s with a name, %q, stands alone on its line", args[i-1], a.Kind)
		}
		b.handler.Accept = append(b.handler.Accept, a)
		if _, err := specs(b.handler.Accept); err != nil {
			return located(b.Dispenser, err)
		}
	}
	if b.NextBlock(b.Nesting()) {
		return b.Errf("unknown word %q in accept: %s has no options", b.Val(), args[0])
	}
	return nil
}

// takesName reports whether a kind of credential can have a name beside it.
func takesName(kind string) bool {
	switch auth.CredentialKind(kind) {
	case auth.APIKey, auth.Query, auth.Body:
		return true
	}
	return false
}

// acceptLine tells a line of kinds from a kind and its name: the second word
// is a name if it is no kind.
func acceptLine(args []string) []Accept {
	if len(args) == 2 && isCredentialKind(args[0]) && !isCredentialKind(args[1]) {
		return []Accept{{Kind: args[0], Name: args[1]}}
	}
	line := make([]Accept, len(args))
	for i, kind := range args {
		line[i].Kind = kind
	}
	return line
}
