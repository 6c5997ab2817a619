package caddymodule

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
		return b.ArgErr()
	}
	for _, a := range acceptLine(args) {
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
