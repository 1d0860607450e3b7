package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

var empty = struct{}{}

// writeValue answers 200 with v as JSON, {} for nil.
func writeValue(w http.ResponseWriter, r *http.Request, v any) {
	if v == nil {
		v = empty
	}
	writeJSON(w, r, http.StatusOK, v)
}

// writeJSON answers with v, indented unless the caller asks otherwise: like
// Google's APIs, for people with curl.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := encode(v, wantsIndent(r))
	if err != nil {
		WriteError(w, r, fmt.Errorf("encode the answer: %w", err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The caller has gone away if this fails: there is nobody to tell.
	_, _ = w.Write(body)
}

const contentType = "application/json; charset=UTF-8"

func encode(v any, indent bool) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	err := enc.Encode(v)
	return buf.Bytes(), err
}

func wantsIndent(r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, "prettyPrint") {
		return true
	}
	pretty, err := strconv.ParseBool(r.URL.Query().Get("prettyPrint"))
	return err != nil || pretty
}
