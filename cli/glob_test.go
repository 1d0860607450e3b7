package cli

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPattern_Match(t *testing.T) {
	cases := []struct{ pattern, name, want string }{
		{"*", "a", "a"},
		{"*", "a/b", "a/"},
		{"*", "a/", "a/"},
		{"d/*", "d/a.txt", "d/a.txt"},
		{"d/*", "d/e/f", "d/e/"},
		{"d/*", "d", ""},
		{"d/*.txt", "d/e/f.txt", ""},
		{"d/*/f.txt", "d/e/f.txt", "d/e/f.txt"},
		{"d/*/", "d/e/f.txt", "d/e/"},
		{"d/*/", "d/e", ""},
		{"d/**", "d/e/f.txt", "d/e/f.txt"},
		{"d/**.txt", "d/e/f.txt", "d/e/f.txt"},
		{"d/**/f.txt", "d/f.txt", "d/f.txt"},
		{"d/**/f.txt", "d/e/g/f.txt", "d/e/g/f.txt"},
		{"d/**/f.txt", "d/ef.txt", ""},
		{"d/?", "d/a", "d/a"},
		{"d/?", "d/ab", ""},
		{"d/?", "d/ä", "d/ä"},
		{"[a-c]x", "bx", "bx"},
		{"[!a-c]x", "bx", ""},
		{"[^a-c]x", "dx", "dx"},
		{"[]]x", "]x", "]x"},
		{"[a", "[a", "[a"},
		{"[z-a]", "[z-a]", "[z-a]"},
		{"a.c*", "abc", ""},
		{"a\nb*", "a\nbc", "a\nbc"},
	}
	for _, c := range cases {
		got, ok := parsePattern(c.pattern).match(c.name)
		if !ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("%q matches %q of %q, want %q", c.pattern, got, c.name, c.want)
		}
	}
}

func TestLocalMatches_AreFilesAndFolders(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.txt", "d/a.txt", "d/e/a.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for pattern, want := range map[string][]string{
		"*":            {"a.txt", "b.txt", "d"},
		"*.txt":        {"a.txt", "b.txt"},
		"./[!a].txt":   {"./b.txt"},
		"**/a.txt":     {"a.txt", "d/a.txt", "d/e/a.txt"},
		"d/*":          {"d/a.txt", "d/e"},
		"*/":           {"d/"},
		dir + "/d/?.*": {dir + "/d/a.txt"},
		"absent/*":     nil,
	} {
		got, err := localMatches(pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", pattern, got, err, want)
		}
	}
}
