package cli

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
)

// pattern is a name with wildcards, as gcloud has them: "*" stands for any
// characters but a slash, "**" for any at all, "?" for one, "[a-z]" for one of
// these and "[!a-z]" for one of the others.
type pattern struct {
	// prefix is what all names begin with.
	prefix string
	// deep says that slashes count as any other character somewhere.
	deep bool
	// level says that all names are in one folder, that of the prefix.
	level bool
	// folders says that only folders are meant.
	folders bool
	regexp  *regexp.Regexp
}

const wildcards = "*?["

func hasWildcard(name string) bool { return strings.ContainsAny(name, wildcards) }

func parsePattern(name string) pattern {
	bare, folders := strings.CutSuffix(name, "/")
	prefix, rest := bare, ""
	if i := strings.IndexAny(bare, wildcards); i >= 0 {
		prefix, rest = bare[:i], bare[i:]
	}
	deep := strings.Contains(rest, "**")
	return pattern{
		prefix:  prefix,
		deep:    deep,
		level:   !deep && !strings.Contains(rest, "/"),
		folders: folders,
		regexp:  regexp.MustCompile("(?s)^" + regexp.QuoteMeta(prefix) + wildcardRegexp(rest) + "$"),
	}
}

// wildcardRegexp writes wildcards as a regular expression.
func wildcardRegexp(s string) string {
	var out strings.Builder
	for s != "" {
		if class, rest, ok := cutClass(s); ok {
			out.WriteString(class)
			s = rest
			continue
		}
		n := 1
		switch {
		case strings.HasPrefix(s, "**/"):
			n = 3
			out.WriteString("(.*/)?")
		case strings.HasPrefix(s, "**"):
			n = 2
			out.WriteString(".*")
		case s[0] == '*':
			out.WriteString("[^/]*")
		case s[0] == '?':
			out.WriteString("[^/]")
		default:
			if n = strings.IndexAny(s[1:], wildcards) + 1; n == 0 {
				n = len(s)
			}
			out.WriteString(regexp.QuoteMeta(s[:n]))
		}
		s = s[n:]
	}
	return out.String()
}

// cutClass takes "[a-z]" off the front, as a regular expression. A bracket that
// nothing closes is a bracket.
func cutClass(s string) (class, rest string, ok bool) {
	if s[0] != '[' {
		return "", "", false
	}
	body, not := s[1:], ""
	if body != "" && (body[0] == '!' || body[0] == '^') {
		body, not = body[1:], "^"
	}
	// A closing bracket in front is one of the characters.
	end := strings.IndexByte(body[min(1, len(body)):], ']') + 1
	if end < 1 {
		return "", "", false
	}
	quoted := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `&`, `\&`).Replace(body[:end])
	class = "[" + not + quoted + "]"
	if _, err := regexp.Compile(class); err != nil {
		return "", "", false
	}
	return class, body[end+1:], true
}

// match gives what of a name the pattern stands for: the whole name, or the
// folder, with its slash, that holds it.
func (p pattern) match(name string) (matched string, ok bool) {
	for i := len(p.prefix); !p.deep && i < len(name); i++ {
		if name[i] == '/' && p.regexp.MatchString(name[:i]) {
			return name[:i+1], true
		}
	}
	return name, !p.folders && p.regexp.MatchString(name)
}

// localMatches gives the local files and folders that a pattern stands for, in
// the order of their names.
func localMatches(name string) ([]string, error) {
	p := parsePattern(name)
	folder := p.prefix[:strings.LastIndexByte(p.prefix, '/')+1]
	var found []string
	root := filepath.Clean("./" + folder)
	if strings.HasPrefix(folder, "/") {
		root = filepath.Clean(folder)
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return nil // what cannot be read matches nothing
		}
		below, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		path = folder + filepath.ToSlash(below)
		switch matches := p.regexp.MatchString(path); {
		case matches && d.IsDir() && !p.deep:
			if p.folders {
				path += "/"
			}
			found = append(found, path)
			return filepath.SkipDir
		case matches && !d.IsDir() && !p.folders:
			found = append(found, path)
		}
		return nil
	})
	return found, err
}
