package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"lightcone/node"
)

// ErrOptions reports options that cannot be served.
var ErrOptions = errors.New("bad api options")

// minToken is the least length of a bearer token that was not made here.
const minToken = 16

// Options configures New and Listen. The zero value is usable with Listen.
type Options struct {
	// Token is the bearer token. Listen makes one when it is empty.
	Token string
	// Stop is called, on a goroutine of its own, when a client asks the node to
	// stop; nil means that this node cannot be stopped so.
	Stop func()
	// Version is shown in the API's description.
	Version string
	// Logger gets what nobody is waiting to be told; nil discards it.
	Logger *slog.Logger
}

// Validate reports what cannot work.
func (o Options) Validate() error {
	if len(o.Token) < minToken {
		return fmt.Errorf("%w: a token of %d characters; use %d or more", ErrOptions, len(o.Token), minToken)
	}
	return nil
}

// service is the node behind the handlers, which are its methods.
type service struct {
	node    *node.Node
	opts    Options
	closing context.Context // ends when the server closes: what has no end of its own ends then
}

// New returns the API of n, guarded by o.Token.
func New(n *node.Node, o Options) (http.Handler, error) { return handler(context.Background(), n, o) }

// handler is New for a server that ends watches with closing.
func handler(closing context.Context, n *node.Node, o Options) (http.Handler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	api := humago.New(mux, config(o.Version))
	s := &service{node: n, opts: o, closing: closing}
	s.registerStatus(api)
	s.registerSpaces(api)
	s.registerRights(api)
	s.registerUpdate(api)
	s.registerReads(api)
	s.registerVector(api)
	s.registerHistory(api)
	s.registerWatch(api)
	s.registerPeers(api)
	s.registerBeacons(api)
	s.registerProofs(api)
	describeCarried(api.OpenAPI())
	return guard(o.Token, carry(http.MaxBytesHandler(mux, MaxBody))), nil
}

// config is huma's default without pages and links that a control socket has no
// use for, and with JSON that refuses members it does not know.
func config(version string) huma.Config {
	c := huma.DefaultConfig("Lightcone control API", version)
	c.Info.Description = "Controls one node. Reads and writes carry query contexts as tokens."
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil
	json := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: strictly}
	c.Formats = map[string]huma.Format{"application/json": json, "json": json}
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	c.Security = []map[string][]string{{"token": {}}}
	return c
}

// operation describes one endpoint. Reading a body takes the time the sender
// takes: a deadline of huma's would also cut off a handler that waits.
func operation(method, path, id, summary string) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		MaxBodyBytes: MaxBody, BodyReadTimeout: -1,
	}
}

// Server is a node's API on the loopback interface.
type Server struct {
	url, token string
	control    string // path of the control file, "" for none
	http       *http.Server
	hangUp     context.CancelFunc
	served     chan struct{} // closed when the listener's loop ended
}

// Listen serves the API of n on a free port of 127.0.0.1 until Close. It tells
// other processes where in dir's control file; an empty dir tells nobody.
func Listen(n *node.Node, dir string, o Options) (*Server, error) {
	if o.Token == "" {
		o.Token = newToken()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	closing, hangUp := context.WithCancel(context.Background())
	h, err := handler(closing, n, o)
	if err != nil {
		hangUp()
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		hangUp()
		return nil, fmt.Errorf("listen for the control API: %w", err)
	}
	s := &Server{
		url: "http://" + l.Addr().String(), token: o.Token, served: make(chan struct{}), hangUp: hangUp,
		http: &http.Server{
			Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
			ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		},
	}
	if dir != "" {
		if s.control, err = writeControl(dir, control{URL: s.url, Token: s.token, PID: os.Getpid()}); err != nil {
			hangUp()
			return nil, errors.Join(err, l.Close())
		}
	}
	go func() {
		defer close(s.served)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("control API stopped", "err", err)
		}
	}()
	return s, nil
}

// URL returns the base address of the API.
func (s *Server) URL() string { return s.url }

// Client returns a client of this server.
func (s *Server) Client() *Client { return NewClient(s.url, s.token) }

// Close removes the control file, lets requests under way finish for a moment,
// and ends. Close it before the node.
func (s *Server) Close() error {
	var errs []error
	if s.control != "" {
		errs = append(errs, removeControl(s.control, s.token))
	}
	s.hangUp()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		errs = append(errs, s.http.Close())
	}
	<-s.served
	return errors.Join(errs...)
}

// strictly decodes one JSON value and refuses members that the target lacks: a
// misspelt one must not be ignored.
func strictly(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value in the body")
	}
	return nil
}
