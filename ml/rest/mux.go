package rest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hearth/ml"
)

// HandlerFunc answers a request with a value to be written as JSON, or with an
// error. A nil value is written as {}.
type HandlerFunc func(r *http.Request, p Params) (any, error)

// RawFunc answers a request by itself. It may return an error as long as it
// has not written anything.
type RawFunc func(w http.ResponseWriter, r *http.Request, p Params) error

// Mux routes requests by method and path. Patterns are like
// "/v1/projects/{project}/models/{model}:predict": a {variable} is one whole
// segment, and what follows the last colon of the last segment is the verb.
// Paths are split while still escaped, so that a %2F stays inside its segment.
// A Mux must not be changed once it serves.
type Mux struct {
	root node
}

// node is one place in the tree of path segments.
type node struct {
	literals map[string]*node
	variable *node
	// routes by verb ("" for none), then by method.
	routes map[string]map[string]*route
}

// route is what Handle was called with.
type route struct {
	variables []string
	query     []string
	serve     RawFunc
}

// maxVariables is the most variables a pattern may have.
const maxVariables = 6

// Params are the values of a pattern's variables, percent-decoded.
type Params struct {
	names  []string
	values [maxVariables]string
}

// Get gives the value of the variable, or "" if the pattern has none such.
func (p *Params) Get(name string) string {
	for i, n := range p.names {
		if n == name {
			return p.values[i]
		}
	}
	return ""
}

// NewMux makes a Mux without routes.
func NewMux() *Mux { return &Mux{} }

// Handle adds a route. query lists the query parameters that the method takes
// beside the common ones; any other is refused. It panics if the route exists
// already or the pattern is not well formed.
func (m *Mux) Handle(method, pattern string, h HandlerFunc, query ...string) {
	m.HandleRaw(method, pattern, func(w http.ResponseWriter, r *http.Request, p Params) error {
		v, err := h(r, p)
		if err != nil {
			return err
		}
		writeValue(w, r, v)
		return nil
	}, query...)
}

// HandleRaw adds a route whose handler writes the answer itself.
func (m *Mux) HandleRaw(method, pattern string, h RawFunc, query ...string) {
	path, verb := splitVerb(pattern)
	n, rt := &m.root, &route{query: query, serve: h}
	for seg := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		name, isVariable := strings.CutPrefix(seg, "{")
		if isVariable {
			rt.variables = append(rt.variables, strings.TrimSuffix(name, "}"))
		}
		n = n.child(seg, isVariable)
	}
	if len(rt.variables) > maxVariables {
		panic("rest: too many variables in " + pattern)
	}
	if n.routes == nil {
		n.routes = map[string]map[string]*route{}
	}
	if n.routes[verb] == nil {
		n.routes[verb] = map[string]*route{}
	}
	if n.routes[verb][method] != nil {
		panic("rest: two routes for " + method + " " + pattern)
	}
	n.routes[verb][method] = rt
}

// Unimplemented adds a route that answers 501 UNIMPLEMENTED: the method exists
// in Google's API but not here.
func (m *Mux) Unimplemented(method, pattern string) {
	m.HandleRaw(method, pattern, func(http.ResponseWriter, *http.Request, Params) error {
		return ml.Errorf(ml.Unimplemented, "%s %s is not implemented by this server. See docs/unsupported.md.", method, pattern)
	}, anyQuery)
}

// anyQuery as the only query parameter of a route lets all pass.
const anyQuery = "*"

func (n *node) child(segment string, isVariable bool) *node {
	if isVariable {
		if n.variable == nil {
			n.variable = &node{}
		}
		return n.variable
	}
	if n.literals == nil {
		n.literals = map[string]*node{}
	}
	if n.literals[segment] == nil {
		n.literals[segment] = &node{}
	}
	return n.literals[segment]
}

// ServeHTTP answers the request by its route: 404 if there is none.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var p Params
	rt, err := m.find(r, &p)
	if err == nil {
		err = checkQuery(r, rt.query)
	}
	if err == nil {
		p.names = rt.variables
		err = rt.serve(w, r, p)
	}
	if err != nil {
		WriteError(w, r, err)
	}
}

func (m *Mux) find(r *http.Request, p *Params) (*route, error) {
	escaped := r.URL.EscapedPath()
	path, verb := splitVerb(escaped)
	byMethod := m.root.match(strings.TrimPrefix(path, "/"), verb, p.values[:0])
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if rt := byMethod[method]; rt != nil {
		return rt, nil
	}
	if byMethod == nil {
		return nil, ml.Errorf(ml.NotFound, "Method not found: this server has nothing at %s.", escaped)
	}
	return nil, ml.Errorf(ml.NotFound, "Method not found: %s answers %s, not %s.", escaped,
		strings.Join(slices.Sorted(maps.Keys(byMethod)), " and "), r.Method)
}

// match walks down path, which has no leading slash, and collects the values
// of the variables. values has the capacity for all of them, so appending to it
// fills the caller's array.
func (n *node) match(path, verb string, values []string) map[string]*route {
	seg, rest, more := strings.Cut(path, "/")
	if strings.IndexByte(seg, '%') >= 0 {
		// net/http has parsed the path already: the escapes are well formed.
		seg, _ = url.PathUnescape(seg)
	}
	if lit := n.literals[seg]; lit != nil {
		if found := lit.after(rest, verb, more, values); found != nil {
			return found
		}
	}
	if n.variable == nil || seg == "" || len(values) == cap(values) {
		return nil
	}
	return n.variable.after(rest, verb, more, append(values, seg))
}

// after goes on with the rest of the path below n, or ends at n.
func (n *node) after(rest, verb string, more bool, values []string) map[string]*route {
	if more {
		return n.match(rest, verb, values)
	}
	return n.routes[verb]
}

// splitVerb cuts the custom verb off an escaped path or a pattern.
func splitVerb(path string) (string, string) {
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		return path[:i], path[i+1:]
	}
	return path, ""
}
