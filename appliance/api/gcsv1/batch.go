package gcsv1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"hearth/ml"
)

// Limits of a batch: Cloud Storage's on its parts and its bytes, and how many
// parts run at a time. Small writes that run together share their syncs.
const (
	maxBatchParts = 100
	maxBatchBytes = 10 << 20
	batchWorkers  = 16
)

// batchPart is one request of a batch: err says why it cannot be one.
type batchPart struct {
	id      string
	request *http.Request
	err     error
}

// batch runs the requests in the parts of the body, each as if it had come
// alone and from the same sender, and answers with their answers in the same
// order. They run side by side, as Cloud Storage warns that they may.
func batch(c *call) (any, error) {
	bound, err := boundary(c.r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	parts, err := readBatch(http.MaxBytesReader(c.w, c.r.Body, maxBatchBytes), bound)
	if err != nil {
		return nil, err
	}
	answers := make([]chan *recorder, len(parts))
	for i := range answers {
		answers[i] = make(chan *recorder, 1)
	}
	go func() {
		turns := make(chan struct{}, batchWorkers)
		for i, p := range parts {
			turns <- struct{}{}
			go func() {
				defer func() { <-turns }()
				answers[i] <- c.run(p)
			}()
		}
	}()
	c.writeBatch(parts, answers)
	return nil, nil
}

// readBatch takes a batch apart. Its errors are about the whole; parts have
// their own.
func readBatch(r io.Reader, bound string) ([]batchPart, error) {
	var parts []batchPart
	mr := multipart.NewReader(r, bound)
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			break
		}
		var content []byte
		if err == nil {
			content, err = io.ReadAll(p)
		}
		if err != nil {
			return nil, &ml.Error{Kind: ml.InvalidArgument, Message: fmt.Sprintf("The batch cannot be read: it must be multipart/mixed of at most %d bytes.", maxBatchBytes), Err: err}
		}
		if len(parts) == maxBatchParts {
			return nil, ml.Errorf(ml.InvalidArgument, "The batch has more than %d parts.", maxBatchParts)
		}
		part := batchPart{id: p.Header.Get("Content-Id")}
		part.request, part.err = readPart(content)
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, ml.Errorf(ml.InvalidArgument, "The batch has no parts.")
	}
	return parts, nil
}

// readPart reads an HTTP request. What follows its head is its body: not all
// clients say how long that is.
func readPart(b []byte) (*http.Request, error) {
	br := bufio.NewReader(bytes.NewReader(b))
	tr := textproto.NewReader(br)
	line, err := tr.ReadLine()
	for err == nil && line == "" {
		line, err = tr.ReadLine()
	}
	fields := strings.Fields(line)
	if err != nil || len(fields) < 2 || len(fields) > 3 {
		return nil, ml.Errorf(ml.InvalidArgument, "The part does not begin like an HTTP request.")
	}
	u, err := url.ParseRequestURI(fields[1])
	if err != nil {
		return nil, ml.Errorf(ml.InvalidArgument, "The part asks for something that is no URL.")
	}
	u.Scheme, u.Host, u.User = "", "", nil
	header, err := tr.ReadMIMEHeader()
	if err != nil && err != io.EOF {
		return nil, ml.Errorf(ml.InvalidArgument, "The part has headers that cannot be read.")
	}
	content, err := io.ReadAll(br)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(header.Get("Content-Length")); err == nil && n >= 0 && n < len(content) {
		content = content[:n]
	}
	r := &http.Request{
		Method: fields[0], URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header(header), Body: io.NopCloser(bytes.NewReader(content)), ContentLength: int64(len(content)),
	}
	return r, checkPart(r)
}

// checkPart refuses what a batch may not hold.
func checkPart(r *http.Request) error {
	path := r.URL.EscapedPath()
	if r.URL.Query().Get("alt") == "media" || strings.HasPrefix(path, "/upload/") || strings.HasPrefix(path, "/resumable/") || strings.HasPrefix(path, "/download/") {
		return ml.Errorf(ml.InvalidArgument, "Content of objects cannot be sent or read in a batch.")
	}
	if !strings.HasPrefix(path, "/storage/v1/") {
		return ml.Errorf(ml.InvalidArgument, "A batch may hold requests to /storage/v1/ only.")
	}
	return nil
}

// run answers one part. It has the sender, the context and the host of the
// batch, whatever its own headers say.
func (c *call) run(p batchPart) (answer *recorder) {
	answer = newRecorder()
	inner := p.request
	if inner == nil {
		inner = &http.Request{URL: &url.URL{}, Header: http.Header{}}
	}
	inner = inner.WithContext(c.r.Context())
	inner.Host, inner.RemoteAddr, inner.TLS, inner.RequestURI = c.r.Host, c.r.RemoteAddr, c.r.TLS, inner.URL.RequestURI()
	for _, name := range []string{"Authorization", "User-Agent"} {
		inner.Header[name] = c.r.Header[name]
	}
	part := &call{server: c.server, w: answer, r: inner, q: inner.URL.Query()}
	defer func() {
		// Here net/http does not keep a fault from ending the process.
		if v := recover(); v != nil {
			answer = newRecorder()
			part.w = answer
			part.fail(fmt.Errorf("a part of a batch: %v", v))
		}
	}()
	if p.err != nil {
		part.fail(p.err)
	} else {
		c.server.ServeHTTP(answer, inner)
	}
	return answer
}

// writeBatch answers with the parts' answers as they come.
func (c *call) writeBatch(parts []batchPart, answers []chan *recorder) {
	w := multipart.NewWriter(c.w)
	c.w.Header().Set("Content-Type", "multipart/mixed; boundary="+w.Boundary())
	c.w.WriteHeader(http.StatusOK)
	for i, p := range parts {
		a := <-answers[i]
		h := textproto.MIMEHeader{"Content-Type": {"application/http"}}
		if p.id != "" {
			h["Content-ID"] = []string{responseID(p.id)}
		}
		// Errors of writing say that the client has gone. The parts that run are
		// waited for all the same: they use the request.
		if out, err := w.CreatePart(h); err == nil {
			a.writeTo(out)
		}
	}
	_ = w.Close()
}

// responseID gives the name of the answer to the part of that name.
func responseID(id string) string {
	if rest, ok := strings.CutPrefix(id, "<"); ok {
		return "<response-" + rest
	}
	return "response-" + id
}

// recorder is an http.ResponseWriter that keeps an answer.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// writeTo writes the answer as HTTP has it. Errors are the caller's to notice
// with what it writes next.
func (r *recorder) writeTo(w io.Writer) {
	r.WriteHeader(http.StatusOK)
	if r.header.Get("Content-Length") == "" {
		r.header.Set("Content-Length", strconv.Itoa(r.body.Len()))
	}
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\n", r.code, http.StatusText(r.code))
	_ = r.header.Write(w)
	_, _ = io.WriteString(w, "\r\n")
	_, _ = w.Write(r.body.Bytes())
}
