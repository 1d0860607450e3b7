package tests

import (
	"bufio"
	"context"
	"net"
	"os"
	"testing"
	"time"

	openloop "hearth/cli/load"
)

// asked is a daemon that is asked for predictions at a rate, whether the last ones
// were answered or not.
type asked struct {
	*daemon
	requests [][]byte // sent in turn
}

// newAsked deploys models, each as a model of its own name.
func newAsked(d *daemon, models ...string) *asked {
	n := &asked{daemon: d}
	for _, model := range models {
		n.model(model, model)
		n.requests = append(n.requests, d.servedAs(model).request())
	}
	return n
}

// senders is how many connections ask at a time.
const senders = 8

// capacity is how many requests a second are answered that come as fast as they
// can.
func (n *asked) capacity(b testing.TB, span time.Duration) float64 {
	return float64(len(n.ask(b, 0, span).Times)) / span.Seconds()
}

// p99 asks at a fixed rate, whether answers come or not, and gives the time that
// one answer of a hundred took longer than, counted from when its request was
// due.
func (n *asked) p99(b testing.TB, rate float64, span time.Duration) time.Duration {
	return n.ask(b, rate, span).Quantile(0.99)
}

// ask sends requests to the models in turn. All of them have to be answered.
func (n *asked) ask(b testing.TB, rate float64, span time.Duration) openloop.Result {
	var conns [senders]*bufio.ReadWriter
	for i := range conns {
		f, err := blockingConn(n.addr)
		check(b, err)
		defer f.Close()
		conns[i] = bufio.NewReadWriter(bufio.NewReader(f), bufio.NewWriter(f))
	}
	r := openloop.Load{Connections: senders, Rate: rate, Duration: span, Ask: func(_ context.Context, connection int, i int64) error {
		c := conns[connection]
		if _, err := c.Write(n.requests[i%int64(len(n.requests))]); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
		return readAnswer(c.Reader)
	}}.Run(b.Context())
	check(b, r.FirstErr)
	return r
}

// blockingConn is a connection whose reads block their thread, as those of most
// clients do.
func blockingConn(addr string) (*os.File, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	f.Fd() // makes it a blocking one
	return f, nil
}
