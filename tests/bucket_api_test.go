package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// bucketAPI speaks the JSON API of Cloud Storage by hand. Unlike the helpers of
// a daemon it never fails a test: what cannot be reached is an error.
type bucketAPI struct {
	client *http.Client
	base   string // http://HOST:PORT
	token  string
	bucket string
}

func (d *daemon) bucketAPI(bucket string) *bucketAPI {
	return &bucketAPI{client: &http.Client{Transport: &http.Transport{}}, base: "http://" + d.addr, token: d.token, bucket: bucket}
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// resource is an object of the API, as far as the tests look at it.
type resource struct {
	Name           string            `json:"name"`
	Generation     int64             `json:"generation,string"`
	Metageneration int64             `json:"metageneration,string"`
	Size           int64             `json:"size,string"`
	ContentType    string            `json:"contentType"`
	MD5Hash        string            `json:"md5Hash"`
	CRC32C         string            `json:"crc32c"`
	Metadata       map[string]string `json:"metadata"`
}

func (a *answer) resource() (*resource, error) {
	var r resource
	if err := json.Unmarshal(a.body, &r); err != nil {
		return nil, fmt.Errorf("status %d with %.200q: %w", a.status, a.body, err)
	}
	return &r, nil
}

func (a *answer) String() string { return fmt.Sprintf("%d %.300s", a.status, a.body) }

// do sends a request; headers are name and value in turn.
func (b *bucketAPI) do(method, path string, q url.Values, body []byte, headers ...string) (*answer, error) {
	if !strings.HasPrefix(path, "http") {
		path = b.base + path
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	req, err := http.NewRequest(method, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return &answer{res.StatusCode, res.Header, content}, nil
}

func (b *bucketAPI) objects() string { return "/storage/v1/b/" + b.bucket + "/o" }

func (b *bucketAPI) object(name string) string { return b.objects() + "/" + url.PathEscape(name) }

func (b *bucketAPI) uploads() string { return "/upload" + b.objects() }

// put uploads a whole object at once.
func (b *bucketAPI) put(name string, q url.Values, content []byte, contentType string) (*answer, error) {
	return b.do("POST", b.uploads(), with(q, "uploadType", "media", "name", name), content, "Content-Type", contentType)
}

// multipart uploads an object with its attributes.
func (b *bucketAPI) multipart(q url.Values, attributes map[string]any, content []byte) (*answer, error) {
	head, err := json.Marshal(attributes)
	if err != nil {
		return nil, err
	}
	body := fmt.Appendf(nil, "--edge\r\nContent-Type: application/json\r\n\r\n%s\r\n--edge\r\nContent-Type: x/multipart\r\n\r\n%s\r\n--edge--\r\n", head, content)
	return b.do("POST", b.uploads(), with(q, "uploadType", "multipart"), body, "Content-Type", "multipart/related; boundary=edge")
}

// begin opens an upload in pieces; its address is the answer's Location.
func (b *bucketAPI) begin(name string, q url.Values, contentType string) (*answer, error) {
	return b.do("POST", b.uploads(), with(q, "uploadType", "resumable", "name", name), nil, "X-Upload-Content-Type", contentType)
}

// piece sends content[from:to] to an upload.
func (b *bucketAPI) piece(session string, content []byte, from, to int) (*answer, error) {
	span := fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content))
	if from == to {
		span = fmt.Sprintf("bytes */%d", len(content))
	}
	return b.do("PUT", session, nil, content[from:to], "Content-Range", span)
}

// held reads out of the answer to a piece how many bytes have arrived.
func (a *answer) held() int {
	_, last, _ := strings.Cut(a.header.Get("Range"), "-")
	n, err := strconv.Atoi(last)
	if err != nil {
		return 0
	}
	return n + 1
}

// page is an answer of a list.
type page struct {
	Items         []*resource `json:"items"`
	Prefixes      []string    `json:"prefixes"`
	NextPageToken string      `json:"nextPageToken"`
}

// list gives all pages of a list.
func (b *bucketAPI) list(q url.Values) (items []*resource, prefixes []string, err error) {
	for token := ""; ; {
		a, err := b.do("GET", b.objects(), with(q, "pageToken", token), nil)
		if err != nil {
			return nil, nil, err
		}
		var p page
		if err := json.Unmarshal(a.body, &p); err != nil || a.status != http.StatusOK {
			return nil, nil, fmt.Errorf("list: %v", a)
		}
		items, prefixes = append(items, p.Items...), append(prefixes, p.Prefixes...)
		if token = p.NextPageToken; token == "" {
			return items, prefixes, nil
		}
	}
}

// with gives q with more parameters; empty values are left out.
func with(q url.Values, pairs ...string) url.Values {
	all := url.Values{}
	for name, values := range q {
		all[name] = values
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all.Set(pairs[i], pairs[i+1])
		}
	}
	return all
}
