package gcsv1

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// glob is a compiled pattern of the parameter matchGlob, which must match a
// whole name:
//
//   - any characters but /
//     **       any characters
//     ?        one character but /
//     [a-z]    one of these characters; [!a-z] one other character but /
//     {a,b}    one of these patterns, which may hold all of this
//     \*       the character itself
//
// It runs as a machine that is in several states at once, so that no pattern
// takes longer than its length times that of the name.
type glob struct {
	states []globState
	start  int
	// literal is what all names that match begin with.
	literal string
}

// globState takes one character and goes on to next; or it is a fork, which
// takes none and goes on to next and other.
type globState struct {
	globItem
	next, other int
}

type globKind int

const (
	globRune globKind = iota
	globAny
	globNotSlash
	globClass
	globFork
	globEnd
	// These two are in patterns only: the machine has forks for them.
	globStar
	globChoice
)

// globItem is a piece of a pattern.
type globItem struct {
	kind    globKind
	char    rune   // of globRune
	ranges  []rune // of globClass: pairs of first and last
	negated bool   // of globClass
	slash   bool   // of globStar: it goes past slashes
	choices [][]globItem
}

// maxGlob bounds a pattern, in bytes: no name is longer.
const maxGlob = 1024

// parseGlob compiles a pattern.
func parseGlob(pattern string) (*glob, error) {
	if len(pattern) > maxGlob || !utf8.ValidString(pattern) {
		return nil, parameterErrorf("matchGlob", "The glob pattern must be UTF-8 of at most %d bytes.", maxGlob)
	}
	p := globParser{rest: pattern}
	items := p.sequence(0)
	if p.wrong != "" || p.rest != "" {
		return nil, parameterErrorf("matchGlob", "Invalid glob pattern %q: %s.", pattern, p.wrong)
	}
	g := &glob{states: []globState{{globItem: globItem{kind: globEnd}}}}
	g.start = g.compile(items, 0)
	for _, it := range items {
		if it.kind != globRune {
			break
		}
		g.literal += string(it.char)
	}
	return g, nil
}

// globParser takes items off the front of rest. wrong says what it cannot read.
type globParser struct {
	rest, wrong string
}

// next takes one character.
func (p *globParser) next() rune {
	r, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	return r
}

// sequence reads items up to the end, or inside braces up to a comma or the
// closing one, which it leaves.
func (p *globParser) sequence(depth int) []globItem {
	var items []globItem
	for p.rest != "" && p.wrong == "" {
		if depth > 0 && (p.rest[0] == ',' || p.rest[0] == '}') {
			break
		}
		items = append(items, p.item(depth))
	}
	return items
}

func (p *globParser) item(depth int) globItem {
	switch r := p.next(); r {
	case '*':
		var double bool
		p.rest, double = strings.CutPrefix(p.rest, "*")
		return globItem{kind: globStar, slash: double}
	case '?':
		return globItem{kind: globNotSlash}
	case '[':
		return p.class()
	case '{':
		return p.choice(depth + 1)
	case '\\':
		return globItem{char: p.escaped()}
	default:
		return globItem{char: r}
	}
}

func (p *globParser) escaped() rune {
	if p.rest == "" {
		p.wrong = "nothing follows the last backslash"
		return 0
	}
	return p.next()
}

// class reads what is behind an opening bracket. A closing one counts for itself
// if it comes first.
func (p *globParser) class() globItem {
	it := globItem{kind: globClass}
	p.rest, it.negated = strings.CutPrefix(p.rest, "!")
	for first := true; ; first = false {
		if p.rest == "" {
			p.wrong = "a bracket is not closed"
		}
		if p.wrong != "" {
			return it
		}
		if p.rest[0] == ']' && !first {
			p.rest = p.rest[1:]
			return it
		}
		low := p.classRune()
		high := low
		if len(p.rest) > 1 && p.rest[0] == '-' && p.rest[1] != ']' {
			p.rest = p.rest[1:]
			if high = p.classRune(); high < low {
				p.wrong = "a range in brackets ends before it begins"
			}
		}
		it.ranges = append(it.ranges, low, high)
	}
}

func (p *globParser) classRune() rune {
	r := p.next()
	if r == '\\' {
		r = p.escaped()
	}
	return r
}

// choice reads what is behind an opening brace.
func (p *globParser) choice(depth int) globItem {
	it := globItem{kind: globChoice}
	for {
		it.choices = append(it.choices, p.sequence(depth))
		if p.rest == "" && p.wrong == "" {
			p.wrong = "a brace is not closed"
		}
		if p.wrong != "" {
			return it
		}
		if p.next() == '}' {
			return it
		}
	}
}

func (g *glob) add(s globState) int {
	g.states = append(g.states, s)
	return len(g.states) - 1
}

// compile makes states for items that go on to the state next, and gives the
// first of them.
func (g *glob) compile(items []globItem, next int) int {
	for i := len(items) - 1; i >= 0; i-- {
		switch it := items[i]; it.kind {
		case globStar:
			each := globNotSlash
			if it.slash {
				each = globAny
			}
			fork := g.add(globState{globItem: globItem{kind: globFork}, next: next})
			g.states[fork].other = g.add(globState{globItem: globItem{kind: each}, next: fork})
			next = fork
		case globChoice:
			first := g.compile(it.choices[0], next)
			for _, choice := range it.choices[1:] {
				first = g.add(globState{globItem: globItem{kind: globFork}, next: first, other: g.compile(choice, next)})
			}
			next = first
		default:
			next = g.add(globState{globItem: it, next: next})
		}
	}
	return next
}

// takes reports whether a state goes on with a character.
func (s *globState) takes(r rune) bool {
	switch s.kind {
	case globRune:
		return r == s.char
	case globAny:
		return true
	case globNotSlash:
		return r != '/'
	case globClass:
		for i := 0; i < len(s.ranges); i += 2 {
			if s.ranges[i] <= r && r <= s.ranges[i+1] {
				return !s.negated
			}
		}
		return s.negated && r != '/'
	}
	return false
}

// stateSet is a set of states, a bit for each.
type stateSet []uint64

// enter adds a state, and where the forks behind it lead.
func (g *glob) enter(set stateSet, s int) {
	for set[s/64]&(1<<(s%64)) == 0 {
		set[s/64] |= 1 << (s % 64)
		if g.states[s].kind != globFork {
			return
		}
		g.enter(set, g.states[s].other)
		s = g.states[s].next
	}
}

// match reports whether a name is one that the glob means. It may be called by
// several goroutines.
func (g *glob) match(name string) bool {
	if !strings.HasPrefix(name, g.literal) {
		return false
	}
	const small = 4
	var space [2 * small]uint64
	words := (len(g.states) + 63) / 64
	both := space[:]
	if words > small {
		both = make([]uint64, 2*words)
	}
	now, then := stateSet(both[:words]), stateSet(both[words:2*words])
	g.enter(now, g.start)
	for _, r := range name {
		clear(then)
		alive := false
		for w, word := range now {
			for ; word != 0; word &= word - 1 {
				s := &g.states[w*64+bits.TrailingZeros64(word)]
				if s.takes(r) {
					g.enter(then, s.next)
					alive = true
				}
			}
		}
		if !alive {
			return false
		}
		now, then = then, now
	}
	return now[0]&1 != 0 // the end is state 0
}
