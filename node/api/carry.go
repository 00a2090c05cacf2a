package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	causal "lightcone/context"
	"lightcone/node"
)

// contextHeader carries context tokens both ways: on a request one or several that
// the session begins with, on every response one that the caller goes on with.
const contextHeader = "Lightcone-Context"

// split returns the tokens of a list, as headers and parameters hold them.
func split(lists ...string) (texts []string) {
	for _, list := range lists {
		for text := range strings.SplitSeq(list, ",") {
			if text = strings.TrimSpace(text); text != "" {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// carried is the context of one request on its way to the response.
type carried struct {
	asked   []string // tokens of the request
	session *node.Session
}

type carriedKey struct{}

// carriedBy returns the context that a request carries; every request has one.
func carriedBy(ctx context.Context) *carried {
	if c, ok := ctx.Value(carriedKey{}).(*carried); ok {
		return c
	}
	return new(carried)
}

// text is what the response's header says: what the session has seen, or, where
// that cannot be told, all that the caller came with.
func (c *carried) text() string {
	if c.session != nil {
		if t := c.session.Token(); !t.IsZero() {
			return t.String()
		}
	}
	var all causal.Token
	for _, text := range c.asked {
		t, err := causal.ParseToken(text)
		if err == nil {
			t, err = causal.JoinTokens(all, t)
		}
		if err != nil {
			return strings.Join(c.asked, ", ") // as it came
		}
		all = t
	}
	return all.String()
}

// carry gives every response of next its context, errors too.
func carry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers := split(r.Header.Values(contextHeader)...)
		if len(headers) > 0 {
			r.Header.Set(contextHeader, strings.Join(headers, ","))
		}
		c := &carried{asked: slices.Concat(headers, split(r.URL.Query()["context"]...))}
		next.ServeHTTP(&carrier{ResponseWriter: w, context: c}, r.WithContext(context.WithValue(r.Context(), carriedKey{}, c)))
	})
}

// carrier adds the header when the response begins, unless it has one or will have
// one as its trailer.
type carrier struct {
	http.ResponseWriter
	context *carried
	begun   bool
}

// Unwrap lets http.ResponseController find the connection.
func (w *carrier) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *carrier) WriteHeader(status int) {
	h := w.Header()
	if !w.begun && h.Get(contextHeader) == "" && h.Get("Trailer") == "" {
		if text := w.context.text(); text != "" {
			h.Set(contextHeader, text)
		}
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *carrier) Write(data []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(data)
}

// describeCarried adds the header to the description of every response.
func describeCarried(api *huma.OpenAPI) {
	for _, path := range api.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Delete} {
			if op == nil {
				continue
			}
			for _, resp := range op.Responses {
				if resp.Headers == nil {
					resp.Headers = map[string]*huma.Param{}
				}
				resp.Headers[contextHeader] = &huma.Param{
					Description: "Context token to go on with: what was seen, or what the request named; of a stream in its trailer",
					Schema:      &huma.Schema{Type: huma.TypeString},
				}
			}
		}
	}
}
