package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"
)

var (
	// ErrNoNode reports that no node answers on a directory's control socket.
	ErrNoNode = errors.New("no node is running on this directory; start it with `lightcone up`")
	// ErrNoAnswer reports a node that was there and did not answer. Nothing was
	// changed by the request.
	ErrNoAnswer = errors.New("the node does not answer; see whether it still runs")
	// ErrUnknownOutcome reports a write that was sent and not answered: it may or
	// may not be recorded.
	ErrUnknownOutcome = errors.New("outcome unknown: the write was sent and no answer came; read the rows before you repeat it")
)

// Client talks to one node. It is safe for concurrent use. Errors of the node
// are a *Problem; others are one of this package's sentinels.
type Client struct {
	url, token string
	http       *http.Client
}

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// NewClient returns a client of the API at a base address.
func NewClient(base, token string) *Client {
	return newClient(base, token, (&net.Dialer{Timeout: pingTimeout}).DialContext)
}

func newClient(base, token string, dial DialFunc) *Client {
	t := &http.Transport{
		DialContext:         dial,
		MaxIdleConnsPerHost: 16, // more than a program has requests under way
		IdleConnTimeout:     idleTimeout / 2,
	}
	return &Client{url: base, token: token, http: &http.Client{Transport: t}}
}

// Dial finds the node that runs on dir and makes sure that it answers; if none
// does, ErrNoNode.
func Dial(ctx context.Context, dir string) (*Client, error) {
	return DialBy(ctx, dir, (&net.Dialer{Timeout: pingTimeout}).DialContext)
}

// DialBy is Dial for a node whose loopback interface is not this process's, as in
// another network namespace: dial reaches it.
func DialBy(ctx context.Context, dir string, dial DialFunc) (*Client, error) {
	ctrl, err := readControl(filepath.Join(dir, controlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoNode
	}
	if err != nil {
		return nil, err
	}
	c := newClient(ctrl.URL, ctrl.Token, dial)
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var h Health
	if err := c.call(ctx, http.MethodGet, "/healthz", nil, nil, &h); err != nil {
		c.Close()
		return nil, fmt.Errorf("%w (%s: %w)", ErrNoNode, ctrl.URL, err)
	}
	if h.PID != ctrl.PID { // another program has the port now
		c.Close()
		return nil, ErrNoNode
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends in as JSON, if any, and decodes the answer into out, if any.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout+waitOf(query))
	defer cancel()
	resp, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(out)
	}
	if err != nil {
		return lost(method, err)
	}
	return nil
}

// send sends a request and returns its response if it is a success.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if sent.Load() {
			return nil, lost(method, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, problemIn(resp)
	}
	return resp, nil
}

// lost is the error of a request that was sent and not answered: reading again
// is harmless, writing again may not be.
func lost(method string, err error) error {
	if method == http.MethodGet {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

func problemIn(resp *http.Response) error {
	p := new(Problem)
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(p); err != nil || p.Type == "" {
		return NewProblem(resp.StatusCode, Internal, "the node answered "+resp.Status, "")
	}
	return p
}

// waitOf is how long a request allows the node to wait for a context.
func waitOf(query url.Values) time.Duration {
	d, err := time.ParseDuration(query.Get("wait"))
	if err != nil {
		return 0
	}
	return min(max(d, 0), MaxWait)
}
