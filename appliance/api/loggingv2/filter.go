package loggingv2

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth/ml"
)

// The fields that a filter may compare.
const (
	fieldType         = "resource.type"
	fieldJob          = "resource.labels.job_id"
	fieldResourceTask = "resource.labels.task_name"
	fieldTask         = "labels.task_name"
	fieldTimestamp    = "timestamp"
	fieldInsertID     = "insertId"
)

// Bounds of a filter.
const (
	maxFilter = 20000 // characters, as in Cloud Logging
	maxDepth  = 50    // parentheses in each other
)

// term is part of a filter: all of its parts, any of them, or one comparison.
type term struct {
	all, any []*term

	field, op, value string
	time             time.Time // of a timestamp's value
}

// parseFilter reads a filter; an empty one says nothing. As in Cloud Logging, OR binds closer than AND,
// and AND may be left out.
func parseFilter(text string) (*term, error) {
	if len(text) > maxFilter {
		return nil, filterError("it is longer than %d characters", maxFilter)
	}
	tokens, err := splitTokens(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	if p.peek().kind == tokenEnd {
		return &term{}, nil
	}
	t, err := p.conjunction()
	if err != nil {
		return nil, err
	}
	if tok := p.peek(); tok.kind != tokenEnd {
		return nil, filterError("unexpected %s", tok)
	}
	return t, nil
}

func filterError(format string, args ...any) error {
	return ml.FieldErrorf("filter", "The filter cannot be used: %s.", fmt.Sprintf(format, args...))
}

// parser goes through the tokens; each method reads one rule of the grammar.
type parser struct {
	tokens []token
	depth  int
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != tokenEnd {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) conjunction() (*term, error) {
	t := &term{}
	for {
		part, err := p.disjunction()
		if err != nil {
			return nil, err
		}
		t.all = append(t.all, part)
		tok := p.peek()
		switch {
		case tok.kind == tokenWord && tok.text == "AND":
			p.next()
		case tok.kind == tokenEnd || tok.kind == tokenClose:
			return t, nil
		}
	}
}

func (p *parser) disjunction() (*term, error) {
	t := &term{}
	for {
		part, err := p.factor()
		if err != nil {
			return nil, err
		}
		t.any = append(t.any, part)
		if tok := p.peek(); tok.kind != tokenWord || tok.text != "OR" {
			return t, nil
		}
		p.next()
	}
}

func (p *parser) factor() (*term, error) {
	tok := p.next()
	switch {
	case tok.kind == tokenWord && (tok.text == "NOT" || strings.HasPrefix(tok.text, "-")):
		return nil, filterError("NOT is not supported")
	case tok.kind == tokenWord && tok.text != "AND" && tok.text != "OR":
		return p.comparison(tok.text)
	case tok.kind != tokenOpen:
		return nil, filterError("unexpected %s", tok)
	}
	if p.depth++; p.depth > maxDepth {
		return nil, filterError("its parentheses are nested more than %d deep", maxDepth)
	}
	t, err := p.conjunction()
	if err != nil {
		return nil, err
	}
	p.depth--
	if tok := p.next(); tok.kind != tokenClose {
		return nil, filterError("a ) is missing before %s", tok)
	}
	return t, nil
}

func (p *parser) comparison(field string) (*term, error) {
	op := p.next()
	if op.kind != tokenOperator {
		return nil, filterError("%s is not compared with anything", field)
	}
	value := p.next()
	if value.kind != tokenString && value.kind != tokenWord {
		return nil, filterError("%s %s has no value", field, op.text)
	}
	t := &term{field: field, op: op.text, value: value.text}
	operators := []string{"="}
	switch field {
	case fieldTimestamp:
		var err error
		if t.time, err = time.Parse(time.RFC3339Nano, t.value); err != nil {
			return nil, filterError("timestamp %q is not an RFC 3339 time", t.value)
		}
		operators = []string{"=", "<", "<=", ">", ">="}
	case fieldInsertID:
		operators = []string{"=", "<", "<=", ">", ">="}
	case fieldType, fieldJob, fieldResourceTask, fieldTask:
	default:
		return nil, filterError("%q is not supported; there are %s", field,
			strings.Join([]string{fieldType, fieldJob, fieldResourceTask, fieldTask, fieldTimestamp, fieldInsertID}, ", "))
	}
	if !slices.Contains(operators, t.op) {
		return nil, filterError("%s cannot be compared with %s, only with %s", field, t.op, strings.Join(operators, " "))
	}
	return t, nil
}
