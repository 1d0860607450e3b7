package client

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"hearth/ml"
)

// DownloadRequest says what is to be read.
type DownloadRequest struct {
	// Object names the object, and its generation if no other will do. Its size
	// is what the caller knows of it.
	Object Object
	// Range, if not empty, is the part that is wanted, as HTTP writes it:
	// 0-99, 100- or -100.
	Range string
	// Parallel is how many parts of a large object may be on their way at once.
	Parallel int
	Progress Progress
}

// Download writes an object's bytes to w. DATA_LOSS if they are not those that
// the server has a checksum of; of a range nobody has one.
func (c *Client) Download(ctx context.Context, r DownloadRequest, w io.Writer) error {
	resp, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(io.MultiWriter(w, sum), countingReader{resp.Body, r.Progress}); err != nil {
		return cutOff(r.Object, err)
	}
	if resp.StatusCode == http.StatusPartialContent {
		return nil
	}
	return Checksum(sum.Sum32()).checkHash(resp.Header, r.Object)
}

// open asks for an object's content; of its generation, if the request has one.
func (c *Client) open(ctx context.Context, r DownloadRequest) (*http.Response, error) {
	query := url.Values{"alt": {"media"}}
	if r.Object.Generation != 0 {
		query.Set("generation", strconv.FormatInt(int64(r.Object.Generation), 10))
	}
	req, err := c.request(ctx, http.MethodGet, objectPath(r.Object.Bucket, r.Object.Name)+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	// The bytes are wanted as they are stored; Go would unpack them.
	req.Header.Set("Accept-Encoding", "identity")
	if r.Range != "" {
		req.Header.Set("Range", "bytes="+r.Range)
	}
	return c.do(req)
}

func cutOff(o Object, err error) error {
	return errors.Join(ml.Errorf(ml.Unavailable, "the download of %s was cut off", o.URI()), err)
}

// DownloadFile writes an object to a local file, which appears only when it is
// whole. Until then it is called PATH.part; for a large object that stays when
// the download is interrupted, and the next one goes on with it if the object
// is the same.
func (c *Client) DownloadFile(ctx context.Context, r DownloadRequest, path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return c.downloadInto(ctx, r, path, os.O_WRONLY)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	part := path + ".part"
	if int64(r.Object.Size) > c.sizes.chunk {
		if err := c.downloadParts(ctx, r, part); err != nil {
			return err
		}
	} else {
		if err := c.downloadInto(ctx, r, part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC); err != nil {
			os.Remove(part)
			return err
		}
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}

// downloadInto writes an object to a file that is opened for it.
func (c *Client) downloadInto(ctx context.Context, r DownloadRequest, path string, flags int) error {
	file, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer file.Close()
	if err := c.Download(ctx, r, file); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}
