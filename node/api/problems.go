package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/node"
)

// Names of problems: what follows urnPrefix in a Problem's type.
const (
	NotFound           = "not-found"           // the row, or all asked fields of it
	NoSpace            = "no-space"            // the space
	SpaceExists        = "space-exists"        //
	Stale              = "stale"               // the context is not covered; Behind says what is missing
	TooLarge           = "too-large"           //
	Invalid            = "invalid"             // the request breaks a rule
	BadTicket          = "bad-ticket"          // damaged or no ticket
	TicketExpired      = "ticket-expired"      //
	TicketRefused      = "ticket-refused"      // by its issuer
	Unreachable        = "unreachable"         // a peer, or the network as such
	NoNode             = "no-node"             // nobody answers on the control socket
	Damaged            = "damaged"             // files are not as they were written
	Locked             = "locked"              // the directory, by another process
	Closed             = "closed"              // the node is stopping
	DiskFull           = "disk-full"           // nothing was written
	Stopped            = "stopped"             // a disk failed; nothing was written
	OwnFork            = "own-fork"            // another replica writes with this node's key
	ContextUnavailable = "context-unavailable" //
	Unsupported        = "unsupported"         // in this version
	BadCursor          = "bad-cursor"          // of another node, space or scan, or of writes that were lost
	Gap                = "gap"                 // what follows the cursor was pruned
	Unauthorized       = "unauthorized"        // the token
	Forbidden          = "forbidden"           // the Host or the origin
	NotPermitted       = "not-permitted"       // only members of the space may, or only those who may grant
	Unknown            = "unknown"             // a write that may or may not be recorded
	Internal           = "internal"            //
)

const urnPrefix = "urn:lightcone:"

// Problem is an error response (RFC 9457, application/problem+json) and, in the
// client, the error it stands for.
type Problem struct {
	Type   string `json:"type" doc:"urn:lightcone: and the problem's name" example:"urn:lightcone:not-found"`
	Title  string `json:"title" doc:"The HTTP status in words"`
	Status int    `json:"status" doc:"The HTTP status"`
	Detail string `json:"detail" doc:"Cause and fix in one"`
	Cause  string `json:"cause" doc:"What went wrong"`
	Fix    string `json:"fix,omitempty" doc:"What to do about it"`
	Token  string `json:"token,omitempty" doc:"The context under which something was not found"`
	*Behind
}

// Behind says what a stale view lacks and who may have it.
type Behind struct {
	Missing []Head   `json:"missing" doc:"Memos of the context that are not here"`
	Holders []string `json:"holders" doc:"Peers that have them, or are likely to"`
	Lag     Lag      `json:"lag" doc:"How far behind the view is"`
	Forked  bool     `json:"forked,omitempty" doc:"Another memo stands at one of these places: waiting does not help"`
}

// Head names a memo. Of one that is known from a token alone, Digest is 8 bytes
// in hex, and so is Author when nothing of that author is here.
type Head struct {
	Author string `json:"author" doc:"Peer id of the author, or 8 bytes of its key in hex"`
	Seq    uint64 `json:"seq" doc:"Place in the author's chain"`
	Digest string `json:"digest" doc:"CID of the memo, or 8 bytes of its digest in hex"`
}

// Lag says how far behind a view is.
type Lag struct {
	Memos   uint64  `json:"memos" doc:"At least so many memos are missing"`
	Beacons int     `json:"beacons,omitempty" doc:"Of so many beacons, that is authors"`
	Seconds float64 `json:"seconds,omitempty" doc:"Since the last memo that is here of one of them: an estimate from above"`
}

func lagOf(l node.Lag) Lag { return Lag{Memos: l.Memos, Beacons: l.Beacons, Seconds: l.Time.Seconds()} }

// Error says cause and fix.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// Name returns the type without its prefix, one of the names above.
func (p *Problem) Name() string { return strings.TrimPrefix(p.Type, urnPrefix) }

// NewProblem returns a problem of a name above, or of one of the caller's own.
func NewProblem(status int, name, cause, fix string) *Problem {
	p := &Problem{Type: urnPrefix + name, Title: http.StatusText(status), Status: status}
	return p.With(cause, fix)
}

// With returns a copy of p that tells another cause and fix.
func (p *Problem) With(cause, fix string) *Problem {
	out := *p
	out.Cause, out.Fix, out.Detail = cause, fix, cause
	if fix != "" {
		out.Detail += "; " + fix
	}
	return &out
}

func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) // the client is gone if this fails
}

// kinds maps errors to problems; the first match decides. An empty fix stands for
// what follows "; " in the error itself.
var kinds = []struct {
	err    error
	name   string
	status int
	fix    string
}{
	{ErrUnknownOutcome, Unknown, http.StatusGatewayTimeout, ""},
	{ErrNoNode, NoNode, http.StatusServiceUnavailable, ""},
	{ErrNoAnswer, NoNode, http.StatusServiceUnavailable, ""},
	{node.ErrNotFound, NotFound, http.StatusNotFound, "list what is there with `lightcone scan`"},
	{node.ErrNoProof, NotFound, http.StatusNotFound, "list them with `lightcone peers --proofs`"},
	{node.ErrBadEvidence, Invalid, http.StatusUnprocessableEntity, ""},
	{node.ErrNoSpace, NoSpace, http.StatusNotFound, ""},
	{node.ErrSpaceExists, SpaceExists, http.StatusConflict, ""},
	{node.ErrBadTicket, BadTicket, http.StatusUnprocessableEntity, ""},
	{node.ErrNotPermitted, NotPermitted, http.StatusForbidden, ""},
	{node.ErrTicketExpired, TicketExpired, http.StatusForbidden, ""},
	{node.ErrTicketRefused, TicketRefused, http.StatusForbidden, ""},
	{node.ErrNoRoute, Unreachable, http.StatusServiceUnavailable, ""},
	{node.ErrNoNetwork, Unreachable, http.StatusServiceUnavailable, ""},
	{node.ErrLocked, Locked, http.StatusLocked, ""},
	{node.ErrDamaged, Damaged, http.StatusInternalServerError, ""},
	{node.ErrDiskFull, DiskFull, http.StatusInsufficientStorage, ""},
	{node.ErrStopped, Stopped, http.StatusServiceUnavailable, ""},
	{node.ErrOwnFork, OwnFork, http.StatusConflict, ""},
	{merge.ErrCounterFull, TooLarge, http.StatusRequestEntityTooLarge, ""},
	{node.ErrClosed, Closed, http.StatusServiceUnavailable, "start it again with `lightcone up`"},
	{node.ErrContextUnavailable, ContextUnavailable, http.StatusConflict, ""},
	{node.ErrUnsupported, Unsupported, http.StatusNotImplemented, ""},
	{node.ErrBadCursor, BadCursor, http.StatusUnprocessableEntity, ""},
	{node.ErrGap, Gap, http.StatusGone, ""},
	{causal.ErrTooManyHeads, TooLarge, http.StatusRequestEntityTooLarge, ""},
	{causal.ErrBadToken, Invalid, http.StatusUnprocessableEntity, ""},
	{memo.ErrTooLarge, TooLarge, http.StatusRequestEntityTooLarge, ""},
	{memo.ErrInvalid, Invalid, http.StatusUnprocessableEntity, ""},
	{memo.ErrBadValue, Invalid, http.StatusUnprocessableEntity, ""},
	{memo.ErrBadID, Invalid, http.StatusUnprocessableEntity, ""},
	{syscall.ENOSPC, DiskFull, http.StatusInsufficientStorage, "free some space and try again"}, // of other files
	{context.Canceled, Closed, http.StatusServiceUnavailable, "repeat the request"},
	{context.DeadlineExceeded, Unreachable, http.StatusGatewayTimeout, "try again, or allow more time"},
}

// ProblemOf returns err, which is not nil, as a problem.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var behind *node.BehindError
	if errors.As(err, &behind) {
		return stale(behind)
	}
	for _, k := range kinds {
		if !errors.Is(err, k.err) {
			continue
		}
		if k.fix != "" {
			return NewProblem(k.status, k.name, err.Error(), k.fix)
		}
		cause, fix := splitFix(err, k.err)
		return NewProblem(k.status, k.name, cause, fix)
	}
	cause, fix := splitFix(err, nil)
	return NewProblem(http.StatusInternalServerError, Internal, cause, fix)
}

// splitFix takes the fix out of an error's text. By the convention of this code
// base it follows "; ", in the sentinel or at the end of the whole text.
func splitFix(err, sentinel error) (cause, fix string) {
	text := err.Error()
	if sentinel != nil {
		if _, fix, ok := strings.Cut(sentinel.Error(), "; "); ok {
			return strings.Replace(text, "; "+fix, "", 1), fix
		}
	}
	if i := strings.LastIndex(text, "; "); i >= 0 {
		return text[:i], text[i+2:]
	}
	return text, ""
}

func stale(e *node.BehindError) *Problem {
	fix := "wait longer, connect to a holder, or accept an older answer with stale=return"
	if e.Forked {
		fix = "ask who gave you the context for a new one"
	}
	p := NewProblem(http.StatusPreconditionFailed, Stale,
		fmt.Sprintf("stale: at least %d memos of the context are not here", max(e.Lag.Memos, uint64(len(e.Missing)))), fix)
	p.Behind = behindOf(e)
	return p
}

func behindOf(e *node.BehindError) *Behind {
	if e == nil {
		return nil
	}
	b := &Behind{Missing: []Head{}, Holders: []string{}, Lag: lagOf(e.Lag), Forked: e.Forked}
	for _, h := range e.Missing {
		b.Missing = append(b.Missing, headOf(h))
	}
	for _, p := range e.Holders {
		b.Holders = append(b.Holders, p.String())
	}
	return b
}

func init() {
	// huma has one constructor of errors for all APIs of a process, and this
	// package is the only one that uses huma.
	huma.NewError = newProblem
}

// newProblem turns huma's own complaints, such as a missing parameter, into
// problems.
func newProblem(status int, msg string, errs ...error) huma.StatusError {
	for _, err := range errs {
		if err != nil {
			msg += ": " + err.Error()
		}
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return NewProblem(status, TooLarge, msg, "split the request")
	case status >= http.StatusInternalServerError:
		return NewProblem(status, Internal, msg, "")
	}
	return NewProblem(status, Invalid, msg, "see /openapi.json for what the request must look like")
}
