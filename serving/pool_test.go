package serving

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"hearth/ml"
	"hearth/serving/frame"
)

// connect opens the pool to a worker that is one end of a socket; the other one
// is returned.
func connect(t *testing.T, p *pool) (net.Conn, *member) {
	t.Helper()
	dir := t.TempDir()
	l, err := frame.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := frame.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return far, p.up(0, &workerProcess{folder: "folder", conn: near, pid: 1})
}

func closed(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1))
	return err != nil
}

func TestPool_Drain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(&ml.Version{}, limits{inFlight: 2})
		connect(t, p)
		c, err := p.acquire(t.Context(), time.Now(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		drained := make(chan struct{})
		go func() { p.drain(context.Background()); close(drained) }()
		synctest.Wait()
		select {
		case <-drained:
			t.Fatal("it did not wait for the request in flight")
		default:
		}
		if _, err := p.acquire(t.Context(), time.Now(), time.Minute); ml.KindOf(err) != ml.Unavailable {
			t.Errorf("a request behind drain: %v", err)
		}
		c.giveBack()
		<-drained

		p = newPool(&ml.Version{}, limits{inFlight: 1})
		connect(t, p)
		if _, err := p.acquire(t.Context(), time.Now(), time.Minute); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.drain(ctx) // returns, although a request goes on
	})
}

func TestPool_Release(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(t *testing.T, p *pool, c *conn)
		kept   bool
	}{
		"served":     {func(*testing.T, *pool, *conn) {}, true},
		"broken":     {func(_ *testing.T, _ *pool, c *conn) { c.broken = true }, false},
		"down":       {func(_ *testing.T, p *pool, _ *conn) { p.close("gone") }, false},
		"new worker": {func(t *testing.T, p *pool, _ *conn) { p.close("gone"); connect(t, p) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(&ml.Version{}, limits{inFlight: 2})
			far, m := connect(t, p)
			c, err := p.acquire(t.Context(), time.Now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			tc.change(t, p, c)
			c.giveBack()
			if kept := len(m.idle) > 0 && m.idle[len(m.idle)-1] == c; kept != tc.kept {
				t.Errorf("kept: %v", kept)
			}
			if !tc.kept && !closed(far) {
				t.Error("the connection is still open")
			}
			if p.inFlight != 0 {
				t.Errorf("%d requests in flight", p.inFlight)
			}
		})
	}
}
