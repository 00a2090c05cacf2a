package figures

import (
	"testing"

	"lightcone/memo/memotest"
)

// In figures 5 and 6 Alice and Bob edit key 11, each on the basis of A0, which is
// what they know, and without waiting for each other.
const concurrent = `
	G -> A0@zoe -> A1@alice
	     |      -> A2@bob
	     |      -> A3@carol

	A0: animals/10 name=Owl ; animals/11 name=Fox tail=long
	A1: animals/11 name=Panda color=white
	A2: animals/11 name=Cat legs=4
	A3: animals/11 age=7 ; animals/12 name=Eel
`

// Figure 5. Concurrency is introduced.
func TestFig05(t *testing.T) {
	d := memotest.Draw(t, concurrent)
	alice, bob := two(t, d)
	alice.hears("G", "A0")
	bob.hears("G", "A0")
	alice.writes("A1")
	bob.writes("A2")

	// Each sees their own edit of A0.
	want(t, "Alice", alice, "animals/11", "color=white name=Panda tail=long")
	want(t, "Bob", bob, "animals/11", "legs=4 name=Cat tail=long")
	want(t, "Bob", bob, "animals/10", "name=Owl")

	// Neither context is in the other's past, and each can tell so from the
	// other's token alone: the answer it could give would be stale.
	if alice.cut().Includes(bob.cut()) || bob.cut().Includes(alice.cut()) {
		t.Error("one of two concurrent cuts includes the other")
	}
	missing := alice.token().Missing(bob.cut(), bob.digestAt)
	if len(missing) != 1 || missing[0].Seq != 1 || missing[0].Digest != [8]byte(idOf(d, "A1")) || missing[0].Conflict {
		t.Errorf("Bob lacks %v of Alice's context, want A1", missing)
	}
	missing = bob.token().Missing(alice.cut(), alice.digestAt)
	if len(missing) != 1 || missing[0].Digest != [8]byte(idOf(d, "A2")) || missing[0].Conflict {
		t.Errorf("Alice lacks %v of Bob's context, want A2", missing)
	}
}

func idOf(d *memotest.DAG, name string) []byte {
	id := d.Memo(name).ID()
	return id[:8]
}

// Figure 6. They exchange contexts. Both now hold A1 and A2, with A0 below them,
// and project key 11 from all three: A1 • A2 • A0.
func TestFig06(t *testing.T) {
	d := memotest.Draw(t, concurrent)
	meeting := func(t *testing.T) (alice, bob *peer) {
		alice, bob = two(t, d)
		alice.hears("G", "A0")
		bob.hears("G", "A0")
		alice.writes("A1")
		bob.writes("A2")
		return alice, bob
	}
	for name, order := range map[string]func(alice, bob *peer){
		"Alice begins":    func(alice, bob *peer) { exchange(alice, bob) },
		"Bob begins":      func(alice, bob *peer) { exchange(bob, alice) },
		"they meet twice": func(alice, bob *peer) { exchange(alice, bob); exchange(bob, alice) },
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := meeting(t)
			order(alice, bob)
			holds(t, "Alice", alice, "A1", "A2")
			holds(t, "Bob", bob, "A1", "A2")
			want(t, "Alice", alice, "animals/11", "color=white legs=4 name=Cat tail=long")
			agree(t, alice, bob)
		})
	}

	// Carol, who knows neither of them, then reaches Alice. Alice's projection is
	// no longer Bob's, and still minds every memo that he told her of: there is no
	// un-ringing that bell.
	t.Run("a third party reaches Alice alone", func(t *testing.T) {
		alice, bob := meeting(t)
		exchange(alice, bob)
		carol := one(t, d)
		carol.hears("G", "A0")
		carol.writes("A3")
		alice.takes(carol)

		holds(t, "Alice", alice, "A1", "A2", "A3")
		want(t, "Alice", alice, "animals/11", "age=7 color=white legs=4 name=Cat tail=long")
		want(t, "Bob", bob, "animals/11", "color=white legs=4 name=Cat tail=long")
		if missing := bob.qc.Missing(alice.cut()); missing != nil {
			t.Errorf("Alice no longer has %v of Bob's context", missing)
		}
		exchange(alice, bob)
		agree(t, alice, bob)
	})
}
