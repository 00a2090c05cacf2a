// Package api is the control API of a node: HTTP and JSON on the loopback
// interface. The command line talks to a running node through it, and through
// the same code to a node it opened itself.
//
//	srv, err := api.Listen(n, dir, api.Options{Stop: stop})   // in the node's process
//	c, err := api.Dial(dir)                                   // in any other
//	receipt, err := c.Update(ctx, "default", api.Update{Edits: edits})
//
// Listen writes dir/control.json: the address, a bearer token and the process
// id, readable by the owner alone. Whoever can read that file may use the node.
// Requests need the token, a Host of this machine, and must not come from a web
// page of another origin; /healthz, /readyz and /openapi.json need no token.
//
// # Contexts
//
// Every response to a request about rows carries a context token in the header
// Lightcone-Context (of a scan or history: as a trailer) and most as "token" in
// the body too. Errors have the header as well: it names what the session has
// seen, or, where the node cannot vouch for that, what the request named, so that
// the caller always goes on with the last one it got. A request brings tokens as
// the query parameter context, as "context" in the body, or in the same header;
// several, with commas between them or in several headers, are joined.
//
// # JSON
//
// An int64 is written as an integer, a float64 always with a '.' or an exponent,
// bytes as {"$bytes":"base64"}; text, bool and null as they are. All of them
// come back exactly. Names of rows and fields are bytes: one that is not UTF-8
// is written "$bytes:" and base64url, see Name.
//
// A scan or a history is a stream of lines, one row or edit each, whose last line
// is {"end":true,…}: a cut stream is noticed. A watch is a stream of server-sent
// events whose ids are cursors: who connects again with Last-Event-ID goes on
// behind the last one. Errors are problem+json (RFC 9457)
// with a type "urn:lightcone:…", a cause and a fix, see Problem.
//
// The package knows no storage and no network beyond its own socket.
package api
