package hearthv1

import (
	"encoding/json"
	"net/http"
	"sync"

	"hearth/ml/rest"
)

// lineWriter writes JSON lines that the client sees at once.
type lineWriter struct {
	mu sync.Mutex
	w  http.ResponseWriter
}

func newLineWriter(w http.ResponseWriter) *lineWriter {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return &lineWriter{w: w}
}

// write sends one line. A client that went away is no reason to stop.
func (l *lineWriter) write(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(append(b, '\n'))
	_ = http.NewResponseController(l.w).Flush()
}

// end writes the last line: the result, or the error.
func (l *lineWriter) end(result any, err error) error {
	if err != nil {
		result = rest.Object(err)
	}
	l.write(result)
	return nil
}
