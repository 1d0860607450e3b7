package loggingv2

import (
	"strconv"
	"strings"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenString
	tokenOperator
	tokenOpen
	tokenClose
)

// token is a piece of a filter; strings are without their quotes.
type token struct {
	kind tokenKind
	text string
}

// String names the token in messages.
func (t token) String() string {
	if t.kind == tokenEnd {
		return "end"
	}
	return strconv.Quote(t.text)
}

// operators, the longer ones first.
var operators = []string{"<=", ">=", "!=", "=~", "!~", "=", "<", ">", ":"}

// splitTokens cuts a filter into tokens, the last one being its end.
func splitTokens(text string) ([]token, error) {
	var tokens []token
	for text = strings.TrimLeft(text, " \t\r\n"); text != ""; text = strings.TrimLeft(text, " \t\r\n") {
		t, rest, err := firstToken(text)
		if err != nil {
			return nil, err
		}
		tokens, text = append(tokens, t), rest
	}
	return append(tokens, token{}), nil
}

func firstToken(text string) (t token, rest string, err error) {
	switch text[0] {
	case '(':
		return token{tokenOpen, "("}, text[1:], nil
	case ')':
		return token{tokenClose, ")"}, text[1:], nil
	case '"':
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return token{}, "", filterError("a string is not closed, or not well formed: %s", text)
		}
		value, _ := strconv.Unquote(quoted)
		return token{tokenString, value}, text[len(quoted):], nil
	}
	for _, op := range operators {
		if rest, ok := strings.CutPrefix(text, op); ok {
			return token{tokenOperator, op}, rest, nil
		}
	}
	end := strings.IndexAny(text, " \t\r\n()=<>!:\"")
	switch {
	case end < 0:
		end = len(text)
	case end == 0:
		return token{}, "", filterError("unexpected %q", text[:1])
	}
	return token{tokenWord, text[:end]}, text[end:], nil
}
