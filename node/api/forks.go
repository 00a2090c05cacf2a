package api

import (
	"time"

	"lightcone/node"
)

// ForkStatus is an author who wrote two memos for one place of its chain in a space.
type ForkStatus struct {
	Author string     `json:"author" doc:"Whose key is used in two places, or who lies. All it wrote is kept and joined"`
	Own    bool       `json:"own,omitempty" doc:"This node itself: it writes no more in this space"`
	Seq    uint64     `json:"seq,omitempty" doc:"The lowest such place that is known; absent where only a proof is here"`
	Runs   uint64     `json:"runs" doc:"Of branches held beside the one with the greatest head"`
	Full   bool       `json:"full,omitempty" doc:"No more of its branches are kept"`
	Proof  string     `json:"proof,omitempty" doc:"The memo that proves it; absent while none is here"`
	Prover string     `json:"prover,omitempty" doc:"Who wrote that"`
	Since  *time.Time `json:"since,omitempty" doc:"When, by its clock"`
}

func forksOf(forks []node.ForkStatus) (out []ForkStatus) {
	for _, f := range forks {
		one := ForkStatus{Author: f.Author.String(), Own: f.Own, Seq: f.Seq, Runs: f.Runs, Full: f.Full}
		if !f.Proof.IsZero() {
			one.Proof, one.Prover, one.Since = f.Proof.String(), f.Prover.String(), &f.Since
		}
		out = append(out, one)
	}
	return out
}
