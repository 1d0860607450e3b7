package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"hearth/appliance/api/gcsv1"
	"hearth/ml"
	"hearth/storage/object"
)

// bucketServer is the real API over a real store, with the bucket "bkt". A test
// may look at requests and cut them off.
type bucketServer struct {
	*Client
	t     *testing.T
	store object.Store
	// before, if set, sees each request; false cuts the connection.
	before atomic.Pointer[func(r *http.Request) bool]
	mu     sync.Mutex
	log    []string
}

// small sizes let files of some KiB be large.
var small = sizes{chunk: 1 << 10, piece: 4 << 10, slice: 2 << 10, large: 64 << 10, part: 8 << 10}

func newBucketServer(t *testing.T) *bucketServer {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	store, err := object.OpenLocal(t.TempDir(), object.LocalOptions{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateBucket(t.Context(), object.Bucket{Name: "bkt"}); err != nil {
		t.Fatal(err)
	}
	s := &bucketServer{t: t, store: store}
	api := gcsv1.New(gcsv1.Options{Store: store, Log: zerolog.Nop()})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.log = append(s.log, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		if before := s.before.Load(); before != nil && !(*before)(r) {
			panic(http.ErrAbortHandler)
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.Client, err = New(Options{Endpoint: server.URL, Project: "hearth"}); err != nil {
		t.Fatal(err)
	}
	s.sizes = small
	return s
}

// requests counts those that begin with a method and contain a part of a path,
// since the last call.
func (s *bucketServer) requests(method, part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.log {
		if strings.HasPrefix(line, method) && strings.Contains(line, part) {
			n++
		}
	}
	s.log = nil
	return n
}

// cut cuts all requests off from the nth of a kind on.
func (s *bucketServer) cut(n int, kind func(r *http.Request) bool) {
	var seen atomic.Int64
	f := func(r *http.Request) bool { return !kind(r) || seen.Add(1) < int64(n) }
	s.before.Store(&f)
}

func (s *bucketServer) heal() { s.before.Store(nil) }

func (s *bucketServer) stored(name string) []byte {
	s.t.Helper()
	r, err := s.store.Open(s.t.Context(), "bkt", name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// names gives the names of all objects.
func (s *bucketServer) names() string {
	s.t.Helper()
	listing, err := s.List(s.t.Context(), "bkt", "", true)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, o := range listing.Objects {
		names = append(names, o.Name)
	}
	return strings.Join(names, " ")
}

func randomBytes(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func randomFile(t *testing.T, n int) (path string, content []byte) {
	t.Helper()
	path, content = filepath.Join(t.TempDir(), "file"), randomBytes(t, n)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func toObject(name string) UploadRequest {
	return UploadRequest{Object: Object{Bucket: "bkt", Name: name, ContentType: "text/csv", Metadata: map[string]string{"k": "v"}}, Parallel: 4}
}

func isPut(r *http.Request) bool { return r.Method == http.MethodPut }

func TestChecksum_FollowedBy(t *testing.T) {
	whole := randomBytes(t, 100_003)
	of := func(b []byte) Checksum { return Checksum(crc32.Checksum(b, castagnoli)) }
	for _, n := range []int{0, 1, 7, 4096, 65537, len(whole)} {
		if got := of(whole[:n]).followedBy(of(whole[n:]), int64(len(whole)-n)); got != of(whole) {
			t.Errorf("cut at %d: %s, want %s", n, got, of(whole))
		}
	}
}

func TestClient_UploadOfAnyLength(t *testing.T) {
	s := newBucketServer(t)
	chunk := int(small.chunk)
	for length, wantPuts := range map[int]int{0: 0, 10: 0, chunk - 1: 0, chunk: 1, chunk + 1: 2, 2 * chunk: 2, 2*chunk + 5: 3} {
		content := randomBytes(t, length)
		s.requests("", "")
		// Hidden behind a plain Reader, so that its length is unknown.
		o, err := s.Upload(t.Context(), toObject("o"), io.MultiReader(bytes.NewReader(content)))
		if err != nil {
			t.Fatal(length, err)
		}
		if puts := s.requests("PUT", ""); int(o.Size) != length || !bytes.Equal(s.stored("o"), content) || puts != wantPuts {
			t.Errorf("%d bytes: stored as %d in %d pieces, want %d", length, o.Size, puts, wantPuts)
		}
		if o.ContentType != "text/csv" || o.Metadata["k"] != "v" {
			t.Errorf("%d bytes: the attributes are %q, %v", length, o.ContentType, o.Metadata)
		}
	}
}

func TestClient_UploadFileAndBack(t *testing.T) {
	s := newBucketServer(t)
	for _, length := range []int{0, 10, 1 << 10, 4<<10 + 1, 12 << 10, 64 << 10, 300<<10 + 7} {
		path, content := randomFile(t, length)
		var sent, got atomic.Int64
		u := toObject("o")
		u.Progress = func(n int64, _ bool) { sent.Add(n) }
		o, err := s.UploadFile(t.Context(), u, path)
		if err != nil {
			t.Fatal(length, err)
		}
		if !bytes.Equal(s.stored("o"), content) || o.ContentType != "text/csv" || o.Metadata["k"] != "v" || sent.Load() != int64(length) {
			t.Errorf("%d bytes: stored %d as %q, %v; counted %d", length, len(s.stored("o")), o.ContentType, o.Metadata, sent.Load())
		}
		if s.names() != "o" {
			t.Errorf("%d bytes: left %s", length, s.names())
		}
		back := path + ".back"
		r := DownloadRequest{Object: *o, Parallel: 3, Progress: func(n int64, _ bool) { got.Add(n) }}
		if err := s.DownloadFile(t.Context(), r, back); err != nil {
			t.Fatal(length, err)
		}
		b, err := os.ReadFile(back)
		if err != nil || !bytes.Equal(b, content) || got.Load() != int64(length) {
			t.Errorf("%d bytes: %d came back, %v; counted %d", length, len(b), err, got.Load())
		}
		if left, _ := filepath.Glob(path + "*"); len(left) != 2 {
			t.Errorf("%d bytes: left %v", length, left)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "hearth", "transfers", "*")); len(left) != 0 {
		t.Errorf("still remembered: %v", left)
	}
}

func TestClient_UploadFile_IfAbsent(t *testing.T) {
	s := newBucketServer(t)
	for _, length := range []int{10, 4 << 10, 100 << 10} {
		path, _ := randomFile(t, length)
		u := toObject(fmt.Sprint(length))
		u.IfAbsent = true
		if _, err := s.UploadFile(t.Context(), u, path); err != nil {
			t.Fatal(length, err)
		}
		if _, err := s.UploadFile(t.Context(), u, path); ml.KindOf(err) != ml.FailedPrecondition {
			t.Errorf("%d bytes: got %v, want FAILED_PRECONDITION", length, err)
		}
	}
	if strings.Contains(s.names(), partsFolder) {
		t.Errorf("left %s", s.names())
	}
}

// The connection breaks at the third piece: two are not sent again.
func TestClient_UploadFile_GoesOnAfterACut(t *testing.T) {
	s := newBucketServer(t)
	path, content := randomFile(t, 20<<10)
	s.cut(3, isPut)
	if _, err := s.UploadFile(t.Context(), toObject("o"), path); !goesOn(err) {
		t.Fatalf("got %v, want a broken connection", err)
	}
	s.heal()
	s.requests("", "")
	var counted atomic.Int64
	u := toObject("o")
	u.Progress = func(n int64, skipped bool) {
		if skipped {
			counted.Add(n)
		}
	}
	if _, err := s.UploadFile(t.Context(), u, path); err != nil {
		t.Fatal(err)
	}
	// One asks, three bring the rest.
	if puts := s.requests("PUT", ""); puts != 4 || !bytes.Equal(s.stored("o"), content) || counted.Load() != 8<<10 {
		t.Errorf("%d requests and %d bytes skipped, want 4 and two pieces", puts, counted.Load())
	}
}

func TestClient_UploadFile_BeginsAnewFor(t *testing.T) {
	cases := map[string]func(s *bucketServer, path string, u *UploadRequest) error{
		"AnotherFile": func(_ *bucketServer, path string, _ *UploadRequest) error {
			return os.WriteFile(path, bytes.Repeat([]byte("x"), 20<<10), 0o600)
		},
		"OtherAttributes": func(_ *bucketServer, _ string, u *UploadRequest) error {
			u.Object.ContentType = "text/plain"
			return nil
		},
		"ALostSession": func(s *bucketServer, _ string, _ *UploadRequest) error {
			memories, err := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "hearth", "transfers", "*"))
			if err != nil || len(memories) != 1 {
				return fmt.Errorf("remembered: %v, %w", memories, err)
			}
			return os.WriteFile(memories[0], []byte(s.Endpoint()+"/upload/storage/v1/b/bkt/o?upload_id=none\n"), 0o600)
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newBucketServer(t)
			path, _ := randomFile(t, 20<<10)
			s.cut(3, isPut)
			if _, err := s.UploadFile(t.Context(), toObject("o"), path); err == nil {
				t.Fatal("the upload was not cut off")
			}
			s.heal()
			u := toObject("o")
			if err := change(s, path, &u); err != nil {
				t.Fatal(err)
			}
			o, err := s.UploadFile(t.Context(), u, path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(s.stored("o"), want) || o.ContentType != u.Object.ContentType {
				t.Errorf("stored something else, as %s; %v", o.ContentType, err)
			}
		})
	}
}

// The answer to the last piece is lost; the object is there, and is not sent
// again.
func TestClient_UploadFile_LostAnswer(t *testing.T) {
	s := newBucketServer(t)
	path, content := randomFile(t, 6<<10)
	u := toObject("o")
	// As if the process had ended before it could forget the session.
	sum := Checksum(crc32.Checksum(content, castagnoli))
	u.Object.CRC32C = sum.String()
	session, err := s.startUpload(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.sendPiece(t.Context(), u, piece{session, 0, 6 << 10, true, sum}, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	s.journal("upload", u.Object, false, int64(6<<10)).add(session)
	s.requests("", "")
	o, err := s.UploadFile(t.Context(), toObject("o"), path)
	if puts := s.requests("PUT", ""); err != nil || puts != 1 || o.CRC32C != sum.String() {
		t.Errorf("got %v, %v in %d requests, want one", o, err, puts)
	}
}

// Two parts are there when the connection breaks: the next run sends the others
// only. Then nothing is left of any.
func TestClient_UploadParts_GoOnAfterACut(t *testing.T) {
	s := newBucketServer(t)
	path, content := randomFile(t, 80<<10) // ten parts of two pieces
	u := toObject("o")
	u.Parallel = 2
	s.cut(9, isPut)
	if _, err := s.UploadFile(t.Context(), u, path); !goesOn(err) {
		t.Fatalf("got %v, want a broken connection", err)
	}
	s.heal()
	there := strings.Count(s.names(), partsFolder)
	if there < 2 {
		t.Fatalf("only %s is there", s.names())
	}
	s.requests("", "")
	if _, err := s.UploadFile(t.Context(), u, path); err != nil {
		t.Fatal(err)
	}
	if started := s.requests("POST", "/upload/"); started > 10-there {
		t.Errorf("%d uploads begun though %d of 10 parts were there", started, there)
	}
	if !bytes.Equal(s.stored("o"), content) || s.names() != "o" {
		t.Errorf("left %s", s.names())
	}
}

// An error that no further run can mend leaves no parts.
func TestClient_UploadParts_LeaveNothingAfterAFailure(t *testing.T) {
	s := newBucketServer(t)
	path, _ := randomFile(t, 80<<10)
	if _, err := s.Upload(t.Context(), toObject("o"), strings.NewReader("here first")); err != nil {
		t.Fatal(err)
	}
	u := toObject("o")
	u.IfAbsent = true
	if _, err := s.UploadFile(t.Context(), u, path); ml.KindOf(err) != ml.FailedPrecondition {
		t.Fatalf("got %v, want FAILED_PRECONDITION", err)
	}
	if s.names() != "o" || string(s.stored("o")) != "here first" {
		t.Errorf("left %s", s.names())
	}
}

// The download is interrupted after some slices: they are not fetched again.
func TestClient_DownloadFile_GoesOn(t *testing.T) {
	isRead := func(r *http.Request) bool { return r.URL.Query().Get("alt") == "media" }
	cases := map[string]struct {
		meanwhile func(s *bucketServer, path string) error
		want      int // slices fetched by the second run
	}{
		"SameObject": {func(*bucketServer, string) error { return nil }, 6},
		"AnotherGeneration": {func(s *bucketServer, _ string) error {
			_, err := s.Upload(t.Context(), toObject("o"), bytes.NewReader(bytes.Repeat([]byte("new"), 20<<10/3)))
			return err
		}, 10},
		"DamagedPart": {func(_ *bucketServer, path string) error {
			f, err := os.OpenFile(path+".part", os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("!"), 1)
			return err
		}, 7},
		"NoPart": {func(_ *bucketServer, path string) error { return os.Remove(path + ".part") }, 10},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newBucketServer(t)
			content := randomBytes(t, 20<<10)
			o, err := s.Upload(t.Context(), toObject("o"), bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "back")
			r := DownloadRequest{Object: Object{Bucket: "bkt", Name: "o", Size: o.Size}}
			s.cut(5, isRead)
			if err := s.DownloadFile(t.Context(), r, path); !goesOn(err) {
				t.Fatalf("got %v, want a broken connection", err)
			}
			s.heal()
			if err := c.meanwhile(s, path); err != nil {
				t.Fatal(err)
			}
			s.requests("", "")
			if err := s.DownloadFile(t.Context(), r, path); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			// One request asks for what is known of the object.
			if got := s.requests("GET", "/o/o") - 1; err != nil || !bytes.Equal(b, s.stored("o")) || got != c.want {
				t.Errorf("%d slices fetched, %v, want %d", got, err, c.want)
			}
		})
	}
}

// Ctrl-C in a download, as the context's end.
func TestClient_DownloadFile_Interrupted(t *testing.T) {
	s := newBucketServer(t)
	content := randomBytes(t, 20<<10)
	o, err := s.Upload(t.Context(), toObject("o"), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "back")
	ctx, cancel := context.WithCancel(t.Context())
	var got atomic.Int64
	r := DownloadRequest{Object: *o, Progress: func(n int64, _ bool) {
		if got.Add(n) >= 6<<10 {
			cancel()
		}
	}}
	if err := s.DownloadFile(ctx, r, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("half a file is there")
	}
	s.requests("", "")
	r.Progress = nil
	if err := s.DownloadFile(t.Context(), r, path); err != nil {
		t.Fatal(err)
	}
	if n := s.requests("GET", "/o/o") - 1; n > 8 {
		t.Errorf("%d slices fetched, want 8 at most", n)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%d bytes came back, %v", len(b), err)
	}
}

func TestClient_DownloadChecksTheSum(t *testing.T) {
	for sum, want := range map[string]ml.Kind{"crc32c=yZRlqg==,md5=x": ml.OK, "crc32c=AAAAAA==": ml.DataLoss, "": ml.OK} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Goog-Hash", sum)
			io.WriteString(w, "hello world")
		})
		var b bytes.Buffer
		err := c.Download(t.Context(), DownloadRequest{Object: Object{Bucket: "b", Name: "o"}}, &b)
		if ml.KindOf(err) != want || b.String() != "hello world" {
			t.Errorf("%s: got %q, %v, want %v", sum, b.String(), err, want)
		}
	}
}

// A slice arrives damaged: the whole is refused, and what is there thrown away.
func TestClient_DownloadFile_Damaged(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	content := bytes.Repeat([]byte("0123456789abcdef"), 256)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("alt") != "media" {
			fmt.Fprintf(w, `{"name":"o","size":"%d","generation":"1","crc32c":%q}`, len(content), Checksum(crc32.Checksum(content, castagnoli)))
			return
		}
		var from, to int
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
		w.WriteHeader(http.StatusPartialContent)
		b := bytes.Clone(content[from : to+1])
		if from > 0 {
			b[0] ^= 1
		}
		w.Write(b)
	})
	c.sizes = small
	path := filepath.Join(t.TempDir(), "back")
	err := c.DownloadFile(t.Context(), DownloadRequest{Object: Object{Bucket: "b", Name: "o", Size: 4096}}, path)
	if left, _ := filepath.Glob(path + "*"); ml.KindOf(err) != ml.DataLoss || len(left) > 0 {
		t.Errorf("got %v and %v, want DATA_LOSS and nothing", err, left)
	}
}

func TestClient_MoveAndCopy(t *testing.T) {
	s := newBucketServer(t)
	o, err := s.Upload(t.Context(), toObject("a"), strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveObject(t.Context(), CopyRequest{From: *o, To: Object{Name: "b"}}); err != nil {
		t.Fatal(err)
	}
	to := Object{Bucket: "bkt", Name: "c"}
	if _, err := s.CopyObject(t.Context(), CopyRequest{From: Object{Bucket: "bkt", Name: "b"}, To: to, Attributes: &Object{ContentType: "x/y"}}); err != nil {
		t.Fatal(err)
	}
	_, err = s.CopyObject(t.Context(), CopyRequest{From: Object{Bucket: "bkt", Name: "b"}, To: to, IfAbsent: true})
	if ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("a copy over another: %v", err)
	}
	c, err := s.Object(t.Context(), "bkt", "c")
	if err != nil || s.names() != "b c" || c.ContentType != "x/y" {
		t.Errorf("got %s, %q, %v", s.names(), c.ContentType, err)
	}
	stale := *c
	stale.Generation--
	if err := s.DeleteObject(t.Context(), stale); ml.KindOf(err) != ml.FailedPrecondition {
		t.Errorf("another generation was to be deleted: %v", err)
	}
}

func TestClient_Reindex(t *testing.T) {
	cases := map[string]struct {
		last string
		kind ml.Kind
	}{
		"Done":   {`{"result":{"objects":9,"added":1,"changed":2,"removed":3,"bytes":4}}`, ml.OK},
		"Failed": {`{"error":{"code":503,"status":"UNAVAILABLE","message":"no store"}}`, ml.Unavailable},
		"CutOff": {``, ml.Unavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/hearth/v1/storage:reindex" {
					t.Errorf("asked for %s %s", r.Method, r.URL.Path)
				}
				io.WriteString(w, `{"objects":5,"added":1}`+"\n"+c.last)
			})
			var steps []Reindexed
			got, err := client.Reindex(t.Context(), func(r Reindexed) { steps = append(steps, r) })
			if ml.KindOf(err) != c.kind || len(steps) != 1 || steps[0] != (Reindexed{Objects: 5, Added: 1}) {
				t.Errorf("got %v after %v, want %v", err, steps, c.kind)
			}
			if c.kind == ml.OK && *got != (Reindexed{9, 1, 2, 3, 4}) {
				t.Errorf("the result is %v", got)
			}
		})
	}
}

func TestClient_JobLineage(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/hearth/v1/projects/hearth/jobs/j/lineage" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		io.WriteString(w, `{"reads":[{"bucket":"b","name":"n","generation":"12","bytes":"34","time":"2026-01-01T00:00:00Z"}],"writes":[]}`)
	})
	got, err := c.JobLineage(t.Context(), "j")
	if err != nil || len(got.Reads) != 1 || got.Reads[0].Generation != 12 || got.Reads[0].Bytes != 34 || got.Reads[0].Name != "n" {
		t.Errorf("got %+v, %v", got, err)
	}
}
