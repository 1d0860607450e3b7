package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"hearth/ml"
)

// chunkSize is how much of an upload is held in memory, and what is sent in
// one request. Smaller objects need a single request.
const chunkSize = 8 << 20

// Upload writes an object from a stream of any length. The object is there,
// whole, only once Upload has returned.
func (c *Client) Upload(ctx context.Context, bucket, name string, r io.Reader) (*Object, error) {
	chunk := make([]byte, chunkSize)
	n, err := io.ReadFull(r, chunk)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c.uploadSmall(ctx, bucket, name, chunk[:n])
	}
	if err != nil {
		return nil, fmt.Errorf("read what is to become gs://%s/%s: %w", bucket, name, err)
	}
	session, err := c.startUpload(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	next := make([]byte, chunkSize)
	for offset := int64(0); ; offset += chunkSize {
		// Whether a chunk is the last one shows only in what follows it.
		n, err := io.ReadFull(r, next)
		switch {
		case errors.Is(err, io.EOF):
			return c.sendChunk(ctx, session, offset, chunk, true)
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("read what is to become gs://%s/%s: %w", bucket, name, err)
		}
		if _, err := c.sendChunk(ctx, session, offset, chunk, false); err != nil {
			return nil, err
		}
		if n < chunkSize {
			return c.sendChunk(ctx, session, offset+chunkSize, next[:n], true)
		}
		chunk, next = next, chunk
	}
}

func uploadPath(bucket, name, kind string) string {
	query := url.Values{"uploadType": {kind}, "name": {name}}
	return "/upload/storage/v1/b/" + segment(bucket) + "/o?" + query.Encode()
}

func (c *Client) uploadSmall(ctx context.Context, bucket, name string, content []byte) (*Object, error) {
	req, err := c.request(ctx, http.MethodPost, uploadPath(bucket, name, "media"), bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.finishUpload(req)
}

// startUpload opens a resumable upload and gives its session's URL.
func (c *Client) startUpload(ctx context.Context, bucket, name string) (string, error) {
	req, err := c.request(ctx, http.MethodPost, uploadPath(bucket, name, "resumable"), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Upload-Content-Type", "application/octet-stream")
	resp, err := c.do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	session := resp.Header.Get("Location")
	if session == "" {
		return "", ml.Errorf(ml.Internal, "the server opened an upload of gs://%s/%s and did not say where", bucket, name)
	}
	return session, nil
}

// sendChunk sends a chunk to a session. Only the last one is answered with the
// object.
func (c *Client) sendChunk(ctx context.Context, session string, offset int64, chunk []byte, last bool) (*Object, error) {
	req, err := c.request(ctx, http.MethodPut, session, bytes.NewReader(chunk))
	if err != nil {
		return nil, err
	}
	end, total := offset+int64(len(chunk)), "*"
	if last {
		total = fmt.Sprint(end)
	}
	req.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", offset, end-1, total))
	if last {
		return c.finishUpload(req)
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

func (c *Client) finishUpload(req *http.Request) (*Object, error) {
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := new(Object)
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("read the answer to an upload: %w", err)
	}
	return out, nil
}
