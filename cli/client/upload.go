package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"

	"hearth/ml"
)

// sizes bound what one request carries, in bytes.
type sizes struct {
	// chunk is how much of an upload is held in memory. Smaller objects need a
	// single request, both ways.
	chunk int64
	// piece is what one request of a resumable upload of a file carries, slice
	// what one of a download does. What did not get that far is sent again
	// after an interruption.
	piece, slice int64
	// large files are uploaded in parts of at least part bytes.
	large, part int64
}

var defaultSizes = sizes{chunk: 8 << 20, piece: 64 << 20, slice: 16 << 20, large: Large, part: 32 << 20}

// Large is the size from which on a file goes in several parts at once.
const Large = 150 << 20

// UploadRequest says what is to be written.
type UploadRequest struct {
	// Object gives bucket and name, and the attributes that a client may set.
	Object Object
	// IfAbsent makes the upload fail with FAILED_PRECONDITION if there is an
	// object of that name.
	IfAbsent bool
	// Parallel is how many parts of a large file may be on their way at once.
	Parallel int
	Progress Progress
}

func (u UploadRequest) path(kind string) string {
	query := conditions(u.IfAbsent)
	query.Set("uploadType", kind)
	query.Set("name", u.Object.Name)
	return "/upload/storage/v1/b/" + segment(u.Object.Bucket) + "/o?" + query.Encode()
}

// UploadFile writes an object from a local file. The server compares the
// checksums before the object is there. An upload that was interrupted goes on
// where it was when it is asked for again and the file is the same.
func (c *Client) UploadFile(ctx context.Context, u UploadRequest, path string) (*Object, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if !info.Mode().IsRegular() {
		return c.Upload(ctx, u, file)
	}
	whole := section{file: file, size: info.Size()}
	if info.Size() >= c.sizes.large && u.Parallel > 1 {
		return c.uploadParts(ctx, u, whole, digestOf(u.Object, path, info.Size(), info.ModTime()))
	}
	return c.uploadSection(ctx, u, whole)
}

// uploadSection writes an object from a part of a file.
func (c *Client) uploadSection(ctx context.Context, u UploadRequest, s section) (*Object, error) {
	if s.size >= c.sizes.chunk {
		return c.uploadResumable(ctx, u, s)
	}
	content := make([]byte, s.size)
	if _, err := io.ReadFull(s.after(0), content); err != nil {
		return nil, fmt.Errorf("read what is to become %s: %w", u.Object.URI(), err)
	}
	return c.uploadSmall(ctx, u, content)
}

// Upload writes an object from a stream of any length. The object is there,
// whole, only once Upload has returned.
func (c *Client) Upload(ctx context.Context, u UploadRequest, r io.Reader) (*Object, error) {
	chunk := make([]byte, c.sizes.chunk)
	n, err := io.ReadFull(r, chunk)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c.uploadSmall(ctx, u, chunk[:n])
	}
	if err != nil {
		return nil, fmt.Errorf("read what is to become %s: %w", u.Object.URI(), err)
	}
	session, err := c.startUpload(ctx, u)
	if err != nil {
		return nil, err
	}
	next, sum := make([]byte, len(chunk)), Checksum(0)
	for offset := int64(0); ; offset += int64(len(chunk)) {
		// Whether a chunk is the last one shows only in what follows it.
		n, err := io.ReadFull(r, next)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("read what is to become %s: %w", u.Object.URI(), err)
		}
		sum = Checksum(crc32.Update(uint32(sum), castagnoli, chunk))
		p := piece{session: session, offset: offset, size: int64(len(chunk)), last: n == 0, sum: sum}
		o, err := c.sendPiece(ctx, u, p, bytes.NewReader(chunk))
		if err != nil || p.last {
			return o, err
		}
		if n < len(chunk) {
			sum = Checksum(crc32.Update(uint32(sum), castagnoli, next[:n]))
			p = piece{session: session, offset: offset + p.size, size: int64(n), last: true, sum: sum}
			return c.sendPiece(ctx, u, p, bytes.NewReader(next[:n]))
		}
		chunk, next = next, chunk
	}
}

// uploadSmall writes an object in a single request: attributes, then content.
func (c *Client) uploadSmall(ctx context.Context, u UploadRequest, content []byte) (*Object, error) {
	u.Object.CRC32C = Checksum(crc32.Checksum(content, castagnoli)).String()
	attributes, err := json.Marshal(u.Object.attributes())
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, part := range []struct {
		kind    string
		content []byte
	}{{"application/json", attributes}, {u.contentType(), content}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		if err == nil {
			_, err = w.Write(part.content)
		}
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	if err := parts.Close(); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	req, err := c.request(ctx, http.MethodPost, u.path("multipart"), &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "multipart/related; boundary="+parts.Boundary())
	o, err := c.finishUpload(u, req)
	if err == nil {
		u.Progress.count(int64(len(content)))
	}
	return o, err
}

func (u UploadRequest) contentType() string {
	if u.Object.ContentType == "" {
		return "application/octet-stream"
	}
	return u.Object.ContentType
}

// piece is a part of a resumable upload; of the last one, sum is the checksum
// of the whole object.
type piece struct {
	session      string
	offset, size int64
	last         bool
	sum          Checksum
}

// startUpload opens a resumable upload and gives its session's URL.
func (c *Client) startUpload(ctx context.Context, u UploadRequest) (string, error) {
	attributes, err := json.Marshal(u.Object.attributes())
	if err != nil {
		return "", fmt.Errorf("encode the request: %w", err)
	}
	req, err := c.request(ctx, http.MethodPost, u.path("resumable"), bytes.NewReader(attributes))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Upload-Content-Type", u.contentType())
	resp, err := c.do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	session := resp.Header.Get("Location")
	if session == "" {
		return "", ml.Errorf(ml.Internal, "the server opened an upload of %s and did not say where", u.Object.URI())
	}
	return session, nil
}

// sendPiece sends a piece to its session. Only the last one is answered with
// the object.
func (c *Client) sendPiece(ctx context.Context, u UploadRequest, p piece, content io.Reader) (*Object, error) {
	req, err := c.request(ctx, http.MethodPut, p.session, countingReader{content, u.Progress})
	if err != nil {
		return nil, err
	}
	req.ContentLength = p.size
	end, total := p.offset+p.size, "*"
	if p.last {
		total = fmt.Sprint(end)
		req.Header.Set("X-Goog-Hash", "crc32c="+p.sum.String())
	}
	req.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", p.offset, end-1, total))
	if p.last {
		return c.finishUpload(u, req)
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Range"); got != fmt.Sprintf("bytes=0-%d", end-1) {
		return nil, ml.Errorf(ml.Unavailable, "the upload was cut off: the server has %q of the first %d bytes", got, end)
	}
	return nil, nil
}

func (c *Client) finishUpload(u UploadRequest, req *http.Request) (*Object, error) {
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := new(Object)
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("read the answer to an upload: %w", err)
	}
	out.Bucket, out.Name = u.Object.Bucket, u.Object.Name
	return out, nil
}
