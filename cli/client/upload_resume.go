package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"hearth/ml"
)

// uploadResumable writes an object from a part of a file in pieces. The session
// is remembered by the content's checksum: the next run asks it how far it is.
func (c *Client) uploadResumable(ctx context.Context, u UploadRequest, s section) (*Object, error) {
	sum, err := s.checksum()
	if err != nil {
		return nil, err
	}
	u.Object.CRC32C = sum.String()
	memory := c.journal("upload", u.Object, u.IfAbsent, s.size)
	session, offset, done, err := c.goOn(ctx, memory, s.size)
	if err != nil {
		return nil, err
	}
	if done != nil {
		memory.forget()
		u.Progress.skip(s.size)
		return done, nil
	}
	if session == "" {
		if session, err = c.startUpload(ctx, u); err != nil {
			return nil, err
		}
		memory.add(session)
	}
	u.Progress.skip(offset)
	for {
		p := piece{session: session, offset: offset, size: min(c.sizes.piece, s.size-offset), sum: sum}
		p.last = p.offset+p.size == s.size
		o, err := c.sendPiece(ctx, u, p, io.LimitReader(s.after(offset), p.size))
		if p.last && err == nil || endsSession(err) {
			memory.forget()
		}
		if p.last || err != nil {
			return o, err
		}
		offset += p.size
	}
}

// endsSession reports whether the server has dropped the session with an error.
func endsSession(err error) bool {
	switch ml.KindOf(err) {
	case ml.NotFound, ml.InvalidArgument, ml.FailedPrecondition:
		return true
	}
	return false
}

// goOn asks a remembered session how much it has. Without a session, or after
// it has ended, session is empty; done is the object if the answer to the last
// piece was all that was missing.
func (c *Client) goOn(ctx context.Context, memory journal, size int64) (session string, offset int64, done *Object, err error) {
	lines := memory.lines()
	if len(lines) == 0 {
		return "", 0, nil, nil
	}
	session = lines[len(lines)-1]
	req, err := c.request(ctx, http.MethodPut, session, nil)
	if err != nil {
		return "", 0, nil, err
	}
	req.Header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
	resp, err := c.do(req)
	if endsSession(err) {
		memory.forget()
		return "", 0, nil, nil
	}
	if err != nil {
		return "", 0, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPermanentRedirect {
		done = new(Object)
		if err := json.NewDecoder(resp.Body).Decode(done); err != nil {
			return "", 0, nil, fmt.Errorf("read the answer to an upload: %w", err)
		}
		return session, size, done, nil
	}
	var last int64
	if _, err := fmt.Sscanf(resp.Header.Get("Range"), "bytes=0-%d", &last); err == nil && last < size-1 {
		offset = last + 1
	}
	return session, offset, nil, nil
}
