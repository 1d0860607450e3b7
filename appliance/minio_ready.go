package appliance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"hearth/ml"
	"hearth/ml/respawn"
)

// endpoint is where the server is reached from this machine.
func (m *minioServer) endpoint() string {
	host, port, _ := net.SplitHostPort(m.config.Listen)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}

// awaitReady returns when the server answers, has ended, or takes too long.
func (m *minioServer) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, minioPatience, fmt.Errorf("the MinIO server does not answer at %s: its log is in %s",
		m.endpoint(), m.supervisor.Folder(m.id())))
	defer cancel()
	exits := make(chan ml.Exit, 1)
	ended, end := context.WithCancel(ctx)
	defer end()
	go func() {
		if exit, err := m.supervisor.Wait(ended, m.id()); err == nil {
			exits <- exit
			end()
		}
	}()
	for delay := 10 * time.Millisecond; !m.answers(ended); delay = min(2*delay, 250*time.Millisecond) {
		if respawn.Pause(ended, delay) {
			continue
		}
		select {
		case exit := <-exits:
			return m.explain(exit)
		default:
			return context.Cause(ctx)
		}
	}
	return nil
}

// healthClient asks without any proxy that the daemon's environment names.
var healthClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

// answers reports whether the server is ready. While it is still coming up it
// answers too, but says that it is offline.
func (m *minioServer) answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint()+"/minio/health/live", nil)
	if err != nil {
		return false
	}
	res, err := healthClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK && res.Header.Get("X-Minio-Server-Status") != "offline"
}
