package gossip

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"

	"github.com/dchest/siphash"

	"lightcone/memo"
)

// This file is the live path of a space as a small value: what is heard, which roots are
// merged, when one is announced. Core has one for each space; a simulation has a flat
// array of them and drives them alone.

const (
	// stretch is how many memos of a chain share one coin.
	stretch = 1024
	// leastHeard is the least probability that a memo is heard, whatever is offered.
	leastHeard = 1.0 / 64
	// fairSlack is how many times the mean of its space an author may write before it
	// is over its fair share; overWeight is what its memos weigh then.
	fairSlack, overWeight = 2, 0.25
	// hearShare is the share of the budget that hearing has; recon brings what is
	// missing in front of what is heard.
	hearShare = 3.0 / 4
	// floodHears is that share in the first floodTime of a flood in a space that adopts,
	// adoptHears the one after that. A memo that is heard is one unit; a root costs the
	// leaves that differ too, which is more until it covers much.
	floodHears, adoptHears = 5.0 / 8, 1.0 / 16
	floodTime              = 16 * time.Second
	// maxVoices bounds the authors of a space whose rates are known.
	maxVoices = 4096
	// quiet is the rate, in memos a second, below which an author is forgotten.
	quiet = 1.0 / 64
)

// Ear decides about what the topics of one space bring, and when to speak: hearing (λ,
// the rate of each author, the private sticky coin), the merging funnel (λ of roots, P̄,
// what merging one costs) and the Trickle timer. What may be spent is a Budget's. It
// does no I/O, takes time and randomness as arguments, and allocates only when it hears
// an author for the first time: about 50 B each, for the first four at once, beside its
// own size. The zero Ear is ready. It must not be copied after its first use, and
// belongs to one goroutine.
//
// The driver calls Budget.Tick and Tick every TickEvery, Hear for each published memo or
// run, Worth for each announced root that is news and Repeated for one that was announced
// before, Merged when one was merged, Makes when a root of its own is news, News when one
// of others is, and announces when Speaks says so, unless a root as good was heard or,
// having nothing of its own to say, where it is Crowded.
//
// What hearing needs of an Ear in any case comes first, in one line of the processor's
// cache: of a million of them none is in it.
type Ear struct {
	second second // that is under way
	hearing
	funnel
	timer trickle
}

// Terms are what an Ear decides under: they are the replica's and the space's.
type Terms struct {
	// Secret keys the coins; nobody else may know it.
	Secret [16]byte
	// Adopts tells that roots of others stand for memos in this space (trust "adopt").
	Adopts bool
	// Elsewhere is what is offered in the replica's other spaces, in memos a second.
	Elsewhere float64
}

// Offer is a published run, as far as hearing goes.
type Offer struct {
	Author      memo.Author
	First, Last uint64 // of its seqs
	Must        bool   // it is heard whatever is offered: rights, or somebody waits for it
	Gap         bool   // memos in front of it are not attached: it would only wait
}

// Memos returns how many there are.
func (o Offer) Memos() int { return int(o.Last - o.First + 1) }

// Verdict is what becomes of an Offer.
type Verdict uint8

// Verdicts; all but Hears mean that the run is passed by.
const (
	Hears        Verdict = iota // it is to be attached: its units are taken
	PassByCoin                  // more is offered than can be attached
	PassByGap                   // memos before it are not here; recon or a root brings them
	PassByBudget                // this second's budget is spent
)

// Hear decides about an offer and takes the units for what is heard.
func (e *Ear) Hear(now time.Time, b *Budget, t *Terms, o Offer) Verdict {
	e.offer(o.Author, o.Memos())
	if b.rate == 0 {
		return Hears
	}
	n, free := o.Memos(), b.free(now, forHeard)
	if e.pressed(b, t) {
		switch {
		case !o.Must && !e.coin(b, t, o, b.crush(free)):
			return PassByCoin
		case o.Gap:
			return PassByGap
		}
	}
	if free < n {
		return PassByBudget
	}
	b.take(now, n, forHeard)
	return Hears
}

// Tick lets time pass: Budget.Tick comes first, once for all spaces.
func (e *Ear) Tick(now time.Time, b *Budget, t *Terms) {
	if d := e.second.over(now); d > 0 {
		e.hearing.pass(now, d)
		e.news.pass(d, keeps(d))
	}
	e.attend(now, b, t)
}

// Chance is p_hear of an author who writes no more than others: the budget for hearing
// by what is offered, in all spaces.
func (e *Ear) Chance(b *Budget, t *Terms) float64 {
	if b.rate == 0 {
		return 1
	}
	offered := t.Elsewhere + e.offered.now()
	room := max(0, float64(b.rate-b.backlog))
	switch {
	case offered <= room:
		return 1
	case !t.Adopts:
		room *= hearShare
	case e.flood || e.flooded.IsZero():
		room *= floodHears
	default:
		room *= adoptHears
	}
	return max(leastHeard, room/offered)
}

// Offered is λ: the memos offered in a second, lately.
func (e *Ear) Offered() float64 { return e.offered.now() }

// Digest folds what the Ear decides by into a number that depends on all of it.
func (e *Ear) Digest() uint64 {
	sum := uint64(e.active)
	fold := func(x float64) { sum = bits.RotateLeft64(sum, 7)*0x9e3779b97f4a7c15 ^ math.Float64bits(x) }
	for i := range e.voices {
		fold(e.voices[i].rate)
	}
	for _, x := range []float64{e.offered.now(), e.news.now(), e.peers, e.cost, e.timer.interval.Seconds()} {
		fold(x)
	}
	return sum
}

// Makes tells the timer of a root that was made here and is news, as News does of others.
func (e *Ear) Makes(now time.Time, peers uint64, rng Random) { e.timer.makes(now, peers, rng) }

// News begins a shortest interval of the timer: a root of others is news. The space has so
// many peers, as far as is known; where that is wrong, Repeated mends it.
func (e *Ear) News(now time.Time, peers uint64, rng Random) { e.timer.begins(now, peers, rng) }

// Speaks lets the timer's time pass and reports whether the moment to announce has come.
func (e *Ear) Speaks(now time.Time, peers uint64, rng Random) bool {
	return e.timer.due(now, peers, rng)
}

// Repeated notes an announcement of a root that had been announced before, here or by others.
func (e *Ear) Repeated() { e.timer.hears(true) }

// Worth is p_merge of an announced root that is news, with so many peers behind it: it is
// to be merged with the probability min(1, (C/λ_roots)·(P̂/P̄)), where C is how many can
// be merged in a second.
func (e *Ear) Worth(b *Budget, peers uint64) float64 {
	e.timer.hears(false)
	return e.funnel.worth(b, peers)
}

// Crowded reports whether so many roots of others were news in this interval that one
// more is of use only if it has what nobody else says: memos written here.
func (e *Ear) Crowded() bool { return e.timer.crowded() }

// pressed reports whether more is offered than can be attached.
func (e *Ear) pressed(b *Budget, t *Terms) bool { return e.Chance(b, t) < 1 }

// chance is the probability that memos of an author are heard.
func (e *Ear) chance(b *Budget, t *Terms, a memo.Author) float64 {
	p := e.Chance(b, t)
	if p < 1 && e.loud(a) {
		p *= overWeight
	}
	return max(leastHeard, p)
}

// coin tosses for a run. The coin of a stretch of a chain is the same each time and
// nobody else knows it: of a chain that is heard the next memos are heard too, peers
// choose different chains, and nobody can write around all of them.
func (e *Ear) coin(b *Budget, t *Terms, o Offer, crush float64) bool {
	p := e.chance(b, t, o.Author) * crush
	return t.toss(o.Author, o.First) < p || o.Last/stretch != o.First/stretch && t.toss(o.Author, o.Last) < p
}

// toss is the coin of the stretch of a chain that seq is in.
func (t *Terms) toss(a memo.Author, seq uint64) float64 {
	var msg [len(a) + 8]byte
	copy(msg[:], a[:])
	binary.BigEndian.PutUint64(msg[len(a):], seq/stretch)
	key := &t.Secret
	sum := siphash.Hash(binary.BigEndian.Uint64(key[:8]), binary.BigEndian.Uint64(key[8:]), msg[:])
	return float64(sum>>11) / (1 << 53)
}

// attend keeps units for hearing while a flood is new in a space where roots bring the
// rest.
func (e *Ear) attend(now time.Time, b *Budget, t *Terms) {
	if e.flood = false; b.rate == 0 || !t.Adopts || !e.pressed(b, t) {
		e.flooded = time.Time{}
		return
	}
	if e.flooded.IsZero() {
		e.flooded = now
	}
	lately := max(e.offered.last, e.offered.count)
	if e.flood = now.Sub(e.flooded) < floodTime && int(lately) > b.rate; e.flood {
		b.kept += b.whole(floodHears * float64(b.rate))
	}
}

// listens tells whether the memos of a chain behind seq are heard.
func (e *Ear) listens(b *Budget, t *Terms, a memo.Author, seq uint64) bool {
	_, wanted := e.wanted[a]
	return wanted || e.flood && t.toss(a, seq+1) < e.chance(b, t, a)
}
