package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hearth/ml"
)

// Client calls one daemon on behalf of one project. It is safe for concurrent
// use.
type Client struct {
	endpoint string
	token    string
	project  string
	http     *http.Client
	sizes    sizes
}

// MaxConnections is how many connections to the daemon are kept: as many
// transfers may run at once.
const MaxConnections = 64

// Options says which daemon to call, and as whom.
type Options struct {
	// Endpoint is the daemon's address, such as http://127.0.0.1:8080.
	Endpoint string
	// Token is the bearer token to show; without one no credentials are sent.
	Token string
	// Project is the project of jobs, models and buckets.
	Project string
}

// New makes a Client. It calls nobody. INVALID_ARGUMENT if the endpoint is not
// an http or https URL.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, ml.Errorf(ml.InvalidArgument, "%q is not an endpoint such as http://127.0.0.1:8080", o.Endpoint)
	}
	// The daemon is addressed directly: a proxy from the environment may well
	// be the daemon itself.
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: MaxConnections,
	}
	return &Client{
		endpoint: strings.TrimRight(o.Endpoint, "/"),
		token:    o.Token,
		project:  o.Project,
		http:     &http.Client{Transport: transport},
		sizes:    defaultSizes,
	}, nil
}

// Project gives the project that the client was made for.
func (c *Client) Project() string { return c.project }

// Endpoint gives the daemon's address, without a slash at its end.
func (c *Client) Endpoint() string { return c.endpoint }

// OnThisMachine reports whether the daemon's address is one of this machine's
// own, as far as the address shows it.
func (c *Client) OnThisMachine() bool {
	u, err := url.Parse(c.endpoint)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// UnreachableError means that nobody answered at the endpoint.
type UnreachableError struct {
	Endpoint string
	Err      error
}

// Error says where nobody answered, and the network's reason.
func (e *UnreachableError) Error() string {
	reason := e.Err
	var op *net.OpError
	if errors.As(reason, &op) {
		reason = op.Err
	}
	return fmt.Sprintf("no answer from %s: %v", e.Endpoint, reason)
}

// Unwrap gives the network's error.
func (e *UnreachableError) Unwrap() error { return e.Err }

// call sends in as JSON, if it is not nil, and decodes the answer into out, if
// that is not nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = answer
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// request makes a request to a path of the daemon, or to a whole URL.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if strings.HasPrefix(path, "/") {
		path = c.endpoint + path
	}
	req, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return nil, fmt.Errorf("make a request for %s: %w", path, err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

// do sends a request and turns an answer that is not a success into an error.
// 308 is left to the caller: it is part of the upload protocol.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		if cause := req.Context().Err(); cause != nil {
			return nil, cause
		}
		return nil, &UnreachableError{Endpoint: c.endpoint, Err: err}
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusPermanentRedirect {
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return nil, decodeError(resp.StatusCode, body)
}

// list reads all pages of a collection, or as many as hold limit items; limit
// 0 is all of them.
func list[T any](ctx context.Context, c *Client, path, key string, limit int) ([]T, error) {
	items, token := []T{}, ""
	for {
		query := url.Values{"pageSize": {"100"}}
		if token != "" {
			query.Set("pageToken", token)
		}
		page := map[string]json.RawMessage{}
		if err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		var some []T
		token = ""
		for name, dst := range map[string]any{key: &some, "nextPageToken": &token} {
			if raw, ok := page[name]; ok {
				if err := json.Unmarshal(raw, dst); err != nil {
					return nil, fmt.Errorf("read %s of %s: %w", name, path, err)
				}
			}
		}
		items = append(items, some...)
		if limit > 0 && len(items) >= limit {
			return items[:limit], nil
		}
		if token == "" {
			return items, nil
		}
	}
}
