// Package causal holds query contexts: the past light cone of a reader, written
// down. Import it as causal "lightcone/context", so that the standard library's
// context keeps its name, and call a value qc, never ctx.
//
// A Context is a causal cut of one space: a set of memos closed under "links
// to". It is written as a folded part, a root with the vector of what it covers,
// plus a few loose heads beyond that; the memos between the two are its tail.
// Joining two contexts is a join in the lattice of cuts: commutative,
// associative, idempotent. Once joined there is no un-ringing that bell.
//
// # Folds
//
// A fold joins the tail, or a part of it that is closed under causes, into a new
// root. It changes how the context is written, never what it holds: the cut, its
// vector and the state projected under it stay, byte for byte. Roots being pure
// functions of cuts, folds in full and in part and joins may come in any order;
// who folds all of a context gets the root of its cut.
//
//	t := causal.Trees{Params: p, Get: blocks, Put: blocks}
//	qc, err := qc.Fold(t, memos)             // the whole tail
//	qc, err := qc.FoldPart(t, memos, budget) // its densest part
//
// The work of a fold is in the rows it rewrites: one that comes late, after many
// edits of few rows, costs little more than one after a single edit. A Policy says
// when a context is due: at so many loose heads or bytes of tail, when its holder
// is idle, before it is sent, or when the user asks, amid a transaction too.
// Contexts of different roots join by keeping the root that covers more; where
// that leaves too many loose heads, Trees.Join merges the roots.
//
// # Tokens
//
// A Token is a context for users of the API: a short text that travels in a
// header, a URL or a QR code. It names heads by the first 8 bytes of author and
// digest; any peer decides it against its own vector at once. A token does not say
// what its root covers: who takes it reads that from the root's trees. JoinTokens and
// Token.Beyond join and compare tokens as they are, without any peer.
//
// The package does not know where memos and blocks are kept. What it needs to
// decide whether a cut covers a token comes in as a Cut, the memos of a tail as a
// list, and blocks through a getter and a putter.
package causal
