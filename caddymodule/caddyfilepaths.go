package caddymodule

// paths reads
//
//	paths {
//	    case_insensitive
//	    allow encoded_slash | double_slash | semicolon | backslash …
//	}
func (b *siteBlock) paths() error {
	at := b.Token()
	if err := noArg(b.Dispenser, "paths { … }"); err != nil {
		return err
	}
	b.handler.Paths = new(Paths)
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if err := b.pathsLine(); err != nil {
			return err
		}
	}
	_, err := b.handler.Paths.build()
	if err != nil {
		return errAt(at, err)
	}
	return nil
}

func (b *siteBlock) pathsLine() error {
	p := b.handler.Paths
	switch b.Val() {
	case "case_insensitive":
		if p.CaseInsensitive {
			return b.Err("case_insensitive stands twice")
		}
		p.CaseInsensitive = true
		return noArg(b.Dispenser, "case_insensitive")
	case "allow":
		if len(p.Allow) > 0 {
			return b.Err("allow stands twice")
		}
		if p.Allow = b.RemainingArgs(); len(p.Allow) == 0 {
			return wrongCount(b.Dispenser, "allow encoded_slash|double_slash|semicolon|backslash…")
		}
		_, err := p.build()
		return located(b.Dispenser, err)
	}
	return unknownWord(b.Dispenser, "paths", []string{"allow", "case_insensitive"})
}
