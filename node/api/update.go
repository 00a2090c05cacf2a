package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"lightcone/memo"
	"lightcone/node"
)

// Update is a set of edits that becomes one memo: all or nothing.
type Update struct {
	Edits   []Edit `json:"edits" minItems:"1"`
	Context string `json:"context,omitempty" doc:"Context tokens, with commas between them: the write happens after everything they name"`
}

// Edit changes one row: first deletions, then the rest is written.
type Edit struct {
	Topic        string `json:"topic"`
	Row          Name   `json:"row"`
	Fields       Fields `json:"fields,omitempty"`
	Delete       bool   `json:"delete,omitempty" doc:"Delete the whole row"`
	DeleteFields []Name `json:"deleteFields,omitempty"`

	Multis Fields      `json:"multis,omitempty" doc:"Fields that keep concurrent values, in place of those that this node has"`
	Add    []Increment `json:"add,omitempty" doc:"To counters"`
	Sets   []SetChange `json:"sets,omitempty"`
}

// Receipt is the answer to a write.
type Receipt struct {
	ID      string `json:"id,omitempty" doc:"CID of the memo"`
	Token   string `json:"token" doc:"Context token that covers the write and its past"`
	Outcome string `json:"outcome" enum:"committed,not-committed" doc:"not-committed: there was nothing to write"`
}

func (s *service) registerUpdate(api huma.API) {
	op := operation(http.MethodPost, "/v1/spaces/{space}/update", "update", "Write rows, all or nothing")
	// The strict decoder and the node check a body at a fraction of the cost.
	op.SkipValidateBody = true
	huma.Register(api, op, s.update)
}

type updateInput struct {
	InSpace
	Header string `header:"Lightcone-Context" doc:"Context tokens, with commas between them, or several such headers: joined with the body's"`
	Wait   string `query:"wait" doc:"How long to wait for the context, as 2s or 0" example:"2s"`
	Body   Update
}

func (s *service) update(ctx context.Context, in *updateInput) (*known[Receipt], error) {
	edits := in.Body.Edits
	switch {
	case len(edits) == 0:
		return nil, ProblemOf(fmt.Errorf("%w: an update without edits; send at least one", memo.ErrInvalid))
	case len(edits) > MaxEdits:
		return nil, ProblemOf(fmt.Errorf("%w: an update of %d rows, the limit is %d; split it", memo.ErrTooLarge, len(edits), MaxEdits))
	}
	x, err := s.session(ctx, in.Space, Asked{Context: in.Body.Context, Header: in.Header, Wait: in.Wait})
	if err != nil {
		return nil, ProblemOf(err)
	}
	r, err := x.Update(ctx, func(tx *node.Tx) error {
		for i := range edits {
			if err := edits[i].apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, writeProblem(r, err)
	}
	out := Receipt{Token: r.Token.String(), Outcome: "committed"}
	if r.Outcome == node.NotCommitted {
		out.Outcome = "not-committed"
	} else {
		out.ID = r.ID.String()
	}
	return &known[Receipt]{Context: out.Token, Body: out}, nil
}

func (e *Edit) apply(tx *node.Tx) error {
	row := string(e.Row)
	if !e.Delete && len(e.DeleteFields)+len(e.Fields)+len(e.Multis)+len(e.Add)+len(e.Sets) == 0 {
		return fmt.Errorf("edit of %s/%s: %w: it changes nothing; name fields, or delete", e.Topic, row, memo.ErrInvalid)
	}
	if e.Delete {
		if err := tx.Delete(e.Topic, row); err != nil {
			return err
		}
	}
	if len(e.DeleteFields) > 0 {
		names := make([]string, len(e.DeleteFields))
		for i, n := range e.DeleteFields {
			names[i] = string(n)
		}
		if err := tx.Delete(e.Topic, row, names...); err != nil {
			return err
		}
	}
	if len(e.Fields) > 0 {
		if err := tx.Put(e.Topic, row, node.Fields(e.Fields)); err != nil {
			return err
		}
	}
	return e.applyCells(tx)
}

// writeProblem is ProblemOf for a write, whose outcome may be unknown.
func writeProblem(r node.Receipt, err error) *Problem {
	if r.Outcome != node.Unknown {
		return ProblemOf(err)
	}
	return NewProblem(http.StatusGatewayTimeout, Unknown, err.Error(), "read the rows before you repeat the write")
}
