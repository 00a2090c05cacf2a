package memotest_test

import (
	"fmt"

	"lightcone/memo/memotest"
)

// Alice and Bob change row 11 at the same time; Carol, who saw both, deletes it.
func Example() {
	d, err := memotest.Parse(`
		G -> A1@alice -> A2@alice
		     | -> B1@bob
		A2, B1 -> C1@carol

		A1: animals/11 name=Cat
		A2: animals/11 name="Polar Bear"
		B1: animals/11 -name
		C1: animals/11 !
	`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range d.Names() {
		m := d.Memo(name)
		fmt.Printf("%-2s is memo %d of its author, with %d causes by others\n", name, m.Seq, len(m.Deps))
	}
	alice, cut := d.Memo("A1").Author, d.Cut("B1")
	fmt.Println("Bob saw A1:", cut.Covers(alice, 1))
	fmt.Println("Bob saw A2:", cut.Covers(alice, 2))
	// Output:
	// G  is memo 1 of its author, with 0 causes by others
	// A1 is memo 1 of its author, with 1 causes by others
	// A2 is memo 2 of its author, with 0 causes by others
	// B1 is memo 1 of its author, with 2 causes by others
	// C1 is memo 1 of its author, with 3 causes by others
	// Bob saw A1: true
	// Bob saw A2: false
}
