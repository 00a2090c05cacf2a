// Package causal holds query contexts: the past light cone of a reader, written
// down. Import it as causal "lightcone/context", so that the standard library's
// context keeps its name, and call a value qc, never ctx.
//
// A Context is a causal cut of one space: a set of memos closed under "links
// to". It is written as a folded part, a root, plus a few loose heads.
// Joining two contexts is a join in the lattice of cuts: commutative,
// associative, idempotent. Once joined there is no un-ringing that bell.
//
// A Token is a context for users of the API: a short text that travels in a
// header, a URL or a QR code. It names heads by the first 8 bytes of author and
// digest; any peer decides it against its own vector at once. What a root covers is
// known to who holds its trees, not to this package. JoinTokens and
// Token.Beyond join and compare tokens as they are, without any peer.
//
// The package does not know where memos are kept. What it needs to decide
// whether a cut covers a token comes in as a Cut.
package causal
