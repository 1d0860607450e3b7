package cli

// mapChange is a change of labels or of metadata.
type mapChange struct {
	old map[string]string
	// replace takes away all that is not set.
	replace bool
	set     map[string]string
	remove  []string
}

// patch gives the change as PATCH takes it: nil takes away.
func (m mapChange) patch() map[string]*string {
	out := map[string]*string{}
	if m.replace {
		for k := range m.old {
			out[k] = nil
		}
	}
	for _, k := range m.remove {
		out[k] = nil
	}
	for k, v := range m.set {
		out[k] = &v
	}
	return out
}

// merged gives the pairs of both maps.
func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
