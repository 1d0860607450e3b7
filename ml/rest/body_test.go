package rest

import (
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// A client that announces much and sends little costs little.
func TestReadBody_Announced(t *testing.T) {
	const announced = 512 << 20
	r := httptest.NewRequest("POST", "/", strings.NewReader("{"))
	r.ContentLength = announced
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), gone{}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := ReadBody(r, announced)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("the body was taken for whole")
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 8<<20 {
		t.Errorf("%d MiB were made for one byte", made>>20)
	}
}

// gone is what comes of a client that went away.
type gone struct{}

func (gone) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
