package gcsv1

import "strings"

// mask is what the parameter fields asks for: the fields by name, each with the
// mask of what it holds. A nil mask is everything.
type mask map[string]mask

const maxMask = 2048

// parseMask reads masks like "items(name,size),nextPageToken" and "items/name".
// The empty mask is everything.
func parseMask(s string) (mask, error) {
	if s == "" {
		return nil, nil
	}
	if len(s) > maxMask {
		return nil, badMask(strings.ToValidUTF8(s[:60], "") + "…")
	}
	m := mask{}
	if rest, ok := m.parse(s); !ok || rest != "" {
		return nil, badMask(s)
	}
	return m, nil
}

func badMask(s string) error {
	return parameterErrorf("fields", "Invalid field selection %s", s)
}

// parse reads a list up to its end or a closing parenthesis.
func (m mask) parse(s string) (rest string, ok bool) {
	for {
		i := strings.IndexAny(s, ",()")
		if i < 0 {
			i = len(s)
		}
		path := strings.Split(s[:i], "/")
		s = s[i:]
		var inner mask
		if strings.HasPrefix(s, "(") {
			inner = mask{}
			if s, ok = inner.parse(s[1:]); !ok || !strings.HasPrefix(s, ")") {
				return s, false
			}
			s = s[1:]
		}
		if !m.add(path, inner) {
			return s, false
		}
		if !strings.HasPrefix(s, ",") {
			return s, true
		}
		s = s[1:]
	}
}

// add asks for what a path of names leads to.
func (m mask) add(path []string, inner mask) bool {
	name := strings.TrimSpace(path[0])
	if name == "" {
		return false
	}
	known, seen := m[name]
	if len(path) == 1 {
		switch {
		case inner == nil || seen && known == nil:
			m[name] = nil
		case seen:
			for k, v := range inner {
				known[k] = v
			}
		default:
			m[name] = inner
		}
		return true
	}
	if seen && known == nil {
		return mask{}.add(path[1:], inner)
	}
	if !seen {
		known = mask{}
		m[name] = known
	}
	return known.add(path[1:], inner)
}

// of gives the mask of what a field holds. ok is false if it is not asked for.
func (m mask) of(name string) (inner mask, ok bool) {
	if star, all := m["*"]; m == nil || all && star == nil {
		return nil, true
	}
	if inner, ok = m[name]; ok {
		return inner, true
	}
	inner, ok = m["*"]
	return inner, ok
}

// prune takes away what is not asked for in v, a value as encoding/json reads
// it into an any.
func (m mask) prune(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if inner, ok := m.of(name); ok {
				inner.prune(value)
			} else {
				delete(v, name)
			}
		}
	case []any:
		for _, value := range v {
			m.prune(value)
		}
	}
}
