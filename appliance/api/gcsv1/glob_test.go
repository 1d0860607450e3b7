package gcsv1

import (
	"strings"
	"testing"
	"unicode/utf8"

	"hearth/storage/object"
)

func TestGlob(t *testing.T) {
	for _, test := range []struct{ pattern, matches, others string }{
		{"*", "a abc .x", "a/b /"},
		{"**", "a a/b / a/", ""},
		{"a*", "a ab", "b a/b"},
		{"a**", "a ab a/b", "b"},
		{"*/*", "a/b / a/", "a a/b/c"},
		{"**/c", "a/c a/b/c /c", "c a/cd"},
		{"a/**/c", "a/b/c a//c a/b/b/c", "a/c"},
		{"?", "a ü", "/ ab"},
		{"a?c", "abc a.c", "a/c ac"},
		{"[a-c]x", "ax bx cx", "dx x"},
		{"[!a-c]x", "dx üx", "ax /x"},
		{"[abc-]x", "-x ax", "dx"},
		{"[-a]", "- a", "b"},
		{"[]a]", "] a", "b"},
		{"[!]a]", "b", "] a"},
		{`[\]\-z]`, "] - z", "a"},
		{"[ä-ö]", "ä ö", "ü"},
		{"{a,b}c", "ac bc", "c abc"},
		{"{a,}c", "ac c", "bc"},
		{"{,a,b{c,d*}}x", "x ax bcx bdx bddx", "bx"},
		{"{a/*,b/**}.txt", "a/x.txt b/x/y.txt", "a/x/y.txt"},
		{`\*\?\[\{\\`, `*?[{\`, `a?[{\`},
		{`a\,b`, "a,b", `a\,b`},
		{"a,b}", "a,b}", "a"},
		{"x]", "x]", "x"},
		{"***", "a a/b", ""},
		{"{*,**}z", "z az a/z", "a"},
		{"run/*/{eval,train}/events.*", "run/1/eval/events.1 run/x/train/events.", "run/eval/events.1 run/1/test/events.1"},
	} {
		g, err := parseGlob(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		for _, name := range strings.Fields(test.matches) {
			if !g.match(name) {
				t.Errorf("%s does not match %s", test.pattern, name)
			}
		}
		for _, name := range strings.Fields(test.others) {
			if g.match(name) {
				t.Errorf("%s matches %s", test.pattern, name)
			}
		}
	}
	for _, bad := range []string{"[", "[a", "[]", "[!", "[z-a]", "{", "{a", "{a,", "{a,[}", `\`, `a[\`, "{{a}", "\xff", strings.Repeat("a", maxGlob+1)} {
		if _, err := parseGlob(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestGlob_Hard matches patterns that make a backtracking matcher try for ever.
func TestGlob_Hard(t *testing.T) {
	name := strings.Repeat("a", maxGlob)
	for _, pattern := range []string{
		strings.Repeat("*a", maxGlob/2-1) + "b", strings.Repeat("**a", maxGlob/3-1) + "b", strings.Repeat("{a,*}", maxGlob/5-1) + "b",
		strings.Repeat("{*,", maxGlob/4-1) + strings.Repeat("}", maxGlob/4-1) + "b", strings.Repeat("*", maxGlob-1) + "b",
	} {
		g, err := parseGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if g.match(name) || !g.match(name+"b") {
			t.Errorf("%.20s… is wrong", pattern)
		}
	}
}

func TestList_MatchGlob(t *testing.T) {
	c := newClient(t, nil)
	for _, n := range []string{"logs/1.txt", "logs/2.bin", "logs/a/3.txt", "model/1.txt", "modem", "top.txt"} {
		c.put(n, "")
	}
	for query, want := range map[string]string{
		"matchGlob=**.txt":                                       `{"items":[{"name":"logs/1.txt"},{"name":"logs/a/3.txt"},{"name":"model/1.txt"},{"name":"top.txt"}]}`,
		"matchGlob=*.txt":                                        `{"items":[{"name":"top.txt"}]}`,
		"matchGlob=logs/*.txt&prefix=lo":                         `{"items":[{"name":"logs/1.txt"}]}`,
		"matchGlob=**.txt&prefix=logs/a":                         `{"items":[{"name":"logs/a/3.txt"}]}`,
		"matchGlob=mode*&prefix=model":                           `{}`,
		"matchGlob=logs/**&prefix=model":                         `{}`,
		"matchGlob=model/**&prefix=logs":                         `{}`,
		"matchGlob=mode**&delimiter=/":                           `{"items":[{"name":"modem"}],"prefixes":["model/"]}`,
		"matchGlob=logs/**.txt&delimiter=/":                      `{"prefixes":["logs/"]}`,
		"matchGlob=logs/a**&delimiter=/&prefix=log":              `{"prefixes":["logs/"]}`,
		"matchGlob=logs/**&delimiter=/&prefix=mod":               `{}`,
		"matchGlob=**.txt&maxResults=1":                          `{"items":[{"name":"logs/1.txt"}],"nextPageToken":"bmxvZ3MvMS50eHQ"}`,
		"matchGlob=**.txt&pageToken=bmxvZ3MvMS50eHQ&endOffset=t": `{"items":[{"name":"logs/a/3.txt"},{"name":"model/1.txt"}]}`,
	} {
		t.Run(query, func(t *testing.T) {
			c.do("GET", "/storage/v1/b/data/o?fields=items/name,prefixes,nextPageToken&"+query, "").want(200).wantJSON(want)
		})
	}
	c.do("GET", "/storage/v1/b/data/o?matchGlob=[", "").wantError(400, "invalidParameter")
	c.do("GET", "/storage/v1/b/data/o?matchGlob=*&delimiter=x", "").wantError(400, "invalidParameter")
	c.do("GET", "/storage/v1/b/none-such/o?matchGlob=*", "").wantError(404, "notFound")
}

// TestMatchGlob_Narrows holds that a listing looks only where names can match.
func TestMatchGlob_Narrows(t *testing.T) {
	for _, test := range []struct{ prefix, delimiter, glob, wantPrefix, wantStart, wantEnd string }{
		{"", "", "a/b*", "a/b", "", ""},
		{"a/", "", "a/b*", "a/b", "", ""},
		{"a/bc", "", "a/b*", "a/bc", "", ""},
		{"", "/", "a/b*", "", "a/b", "a/c"},
		{"x", "", "a/b*", "x", "a/b", "a/c"},
		{"a", "", "**", "a", "", ""},
	} {
		o := object.ListOptions{Prefix: test.prefix, Delimiter: test.delimiter}
		if err := matchGlob(&o, test.glob); err != nil {
			t.Fatal(err)
		}
		if o.Prefix != test.wantPrefix || o.StartOffset != test.wantStart || o.EndOffset != test.wantEnd {
			t.Errorf("%+v: %q, %q to %q", test, o.Prefix, o.StartOffset, o.EndOffset)
		}
	}
}

// seam parts stars that come together only where braces are opened.
const seam = "\x00"

// slowMatch is what a glob means, spelled out: it tries everything.
func slowMatch(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	p, pn := utf8.DecodeRuneInString(pattern)
	r, rn := utf8.DecodeRuneInString(name)
	rest := pattern[pn:]
	switch p {
	case '*':
		after, double := strings.CutPrefix(rest, "*")
		for i := 0; ; {
			if slowMatch(after, name[i:]) {
				return true
			}
			if i == len(name) || !double && name[i] == '/' {
				return false
			}
			_, n := utf8.DecodeRuneInString(name[i:])
			i += n
		}
	case 0:
		return slowMatch(rest, name)
	case '?':
		return name != "" && r != '/' && slowMatch(rest, name[rn:])
	case '{':
		choices, after := slowChoices(rest)
		for _, c := range choices {
			if slowMatch(c+seam+after, name) {
				return true
			}
		}
		return false
	case '[':
		in, after := slowClass(rest, r)
		return name != "" && in && slowMatch(after, name[rn:])
	case '\\':
		p, pn = utf8.DecodeRuneInString(rest)
		rest = rest[pn:]
	}
	return name != "" && r == p && slowMatch(rest, name[rn:])
}

// slowChoices splits what is behind an opening brace.
func slowChoices(s string) (choices []string, after string) {
	depth, begin, inClass := 0, 0, -1
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case inClass >= 0:
			if s[i] == ']' && i > inClass {
				inClass = -1
			}
		case s[i] == '[':
			inClass = i + 1
			if strings.HasPrefix(s[inClass:], "!") {
				inClass++
			}
		case s[i] == '{':
			depth++
		case s[i] == '}' && depth > 0:
			depth--
		case s[i] == '}':
			return append(choices, s[begin:i]), s[i+1:]
		case s[i] == ',' && depth == 0:
			choices, begin = append(choices, s[begin:i]), i+1
		}
	}
	return nil, ""
}

// slowClass reports whether r is in the class that s begins with.
func slowClass(s string, r rune) (in bool, after string) {
	s, negated := strings.CutPrefix(s, "!")
	one := func() (c rune) {
		s = strings.TrimPrefix(s, `\`)
		c, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		return c
	}
	for first := true; first || s[0] != ']'; first = false {
		low := one()
		high := low
		if s[0] == '-' && s[1] != ']' {
			s = s[1:]
			high = one()
		}
		in = in || low <= r && r <= high
	}
	if negated {
		return !in && r != '/', s[1:]
	}
	return in, s[1:]
}

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"a*b?c", "axxbyc"}, {"**/x", "a/b/x"}, {"{a,b{c,d}}*", "bc1"}, {"[!a-c]*", "dx"}, {`\*[\]]`, "*]"}, {"*a*a*a*b", "aaaaaaaaaaaa"}, {"{[,],x}", ","},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !utf8.ValidString(name) || len(name) > 1024 || strings.Contains(pattern, seam) {
			return
		}
		g, err := parseGlob(pattern)
		if err != nil {
			return
		}
		got := g.match(name)
		if got && !strings.HasPrefix(name, g.literal) {
			t.Fatalf("%q matches %q, which does not begin with %q", pattern, name, g.literal)
		}
		if strings.Count(pattern, "*")+strings.Count(pattern, "{") > 4 || len(name) > 16 || len(pattern) > 24 {
			return // the other way would take too long
		}
		if want := slowMatch(pattern, name); got != want {
			t.Fatalf("%q and %q: %v, want %v", pattern, name, got, want)
		}
	})
}

func BenchmarkGlob(b *testing.B) {
	g, err := parseGlob("shard-*/{record,example}-*.tfrecord")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !g.match("shard-017/record-017123.tfrecord") {
			b.Fatal("no match")
		}
	}
}
