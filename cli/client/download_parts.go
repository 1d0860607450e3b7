package client

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"hearth/ml"
)

// downloadParts writes a large object to a file in slices, several at once. A
// slice that is there is noted, and so is the generation: the next run fetches
// what is missing.
func (c *Client) downloadParts(ctx context.Context, r DownloadRequest, path string) error {
	o, err := c.Object(ctx, r.Object.Bucket, r.Object.Name)
	if err != nil {
		return err
	}
	if r.Object.Generation != 0 && r.Object.Generation != o.Generation {
		return ml.Errorf(ml.FailedPrecondition, "%s has been written anew meanwhile", o.URI())
	}
	r.Object = *o
	whole, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	memory := c.journal("download", o.Bucket, o.Name, o.Generation, whole, c.sizes.slice)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer file.Close()
	slices := c.slicesOf(file, int64(o.Size))
	if err := takeNoted(file, slices, memory, int64(o.Size)); err != nil {
		return err
	}
	if err := c.fetchSlices(ctx, r, slices, memory); err != nil {
		return err
	}
	memory.forget()
	var sum Checksum
	for _, s := range slices {
		sum = sum.followedBy(s.sum, s.size)
	}
	if err := sum.check(o.CRC32C, *o); err != nil {
		os.Remove(path)
		return err
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}

// slice is a part of a download and where it belongs.
type slice struct {
	section
	into io.WriterAt
	sum  Checksum
	have bool
}

// note is the slice's line in the journal.
func (s *slice) note() string { return fmt.Sprintf("%d %s", s.from, s.sum) }

func (c *Client) slicesOf(file *os.File, size int64) []*slice {
	var all []*slice
	for from := int64(0); from < size; from += c.sizes.slice {
		all = append(all, &slice{section: section{file, from, min(c.sizes.slice, size-from)}, into: file})
	}
	return all
}

// takeNoted finds which slices a file has from an earlier run: those that are
// noted and still are what was noted. Without any it makes room.
func takeNoted(file *os.File, slices []*slice, memory journal, size int64) error {
	noted := map[string]bool{}
	for _, line := range memory.lines() {
		noted[line] = true
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if len(noted) == 0 || info.Size() != size {
		memory.forget()
		if err := file.Truncate(size); err != nil {
			return fmt.Errorf("download: %w", err)
		}
		return nil
	}
	for _, s := range slices {
		if s.sum, err = s.checksum(); err != nil {
			return err
		}
		s.have = noted[s.note()]
	}
	return nil
}

// fetchSlices fetches the slices that are missing.
func (c *Client) fetchSlices(ctx context.Context, r DownloadRequest, slices []*slice, memory journal) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(r.Parallel, 1))
	for _, s := range slices {
		if s.have {
			r.Progress.skip(s.size)
			continue
		}
		group.Go(func() error {
			if err := c.fetch(ctx, r, s); err != nil {
				return err
			}
			// Short lines that are appended whole do not mix.
			memory.add(s.note())
			return nil
		})
	}
	return group.Wait()
}

func (c *Client) fetch(ctx context.Context, r DownloadRequest, s *slice) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.Range = fmt.Sprintf("%d-%d", s.from, s.from+s.size-1)
	resp, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return ml.Errorf(ml.Internal, "the server answered the range %s of %s with status %d", r.Range, r.Object.URI(), resp.StatusCode)
	}
	sum := crc32.New(castagnoli)
	to := io.MultiWriter(io.NewOffsetWriter(s.into, s.from), sum)
	n, err := io.Copy(to, countingReader{io.LimitReader(resp.Body, s.size), r.Progress})
	if err != nil {
		return cutOff(r.Object, err)
	}
	if n != s.size {
		return ml.Errorf(ml.Unavailable, "the download of %s was cut off", r.Object.URI())
	}
	s.sum = Checksum(sum.Sum32())
	return nil
}
