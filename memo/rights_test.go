package memo

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goldenRights holds the bytes of grants and revocations for good, like
// testdata/golden.txt those of the other kinds. The memos' authors and the space are
// of that file.
// A grant's body has 36 bytes: its array 1, whom 34, what 1. A revocation's has 37
// with nothing good and 77 with a last good memo.
const goldenRights = `
memo grant to a writer
cid  bafyreielqeb3ghuskqq42q5ylxk2jc2ddwh6yo4io573qan3rvp2dzgc3i
hex  89015820d7a5a878c4e9c0b4acfc6408cd6f2ccfea14560857c71702bdab3be68a5cc3aa5820d5bf4a3fcce717b0388bcc2749ebc148ad9969b23f45ee1b605fd58778576ac402d82a58250001711220d7a5a878c4e9c0b4acfc6408cd6f2ccfea14560857c71702bdab3be68a5cc3aa801b018bcfe56800000104825820ecc1b58727f3f12b3194881a9ecb9de0b28ce7b207230d8e930fe1bce75e256c00

memo grant to a granter
cid  bafyreidyvwxdebebvdlfc4y62tt2byhy6dfabu5fx7ojey3b4taljipzqq
hex  89015820d7a5a878c4e9c0b4acfc6408cd6f2ccfea14560857c71702bdab3be68a5cc3aa5820d5bf4a3fcce717b0388bcc2749ebc148ad9969b23f45ee1b605fd58778576ac403d82a582500017112208b8103b31e925421cd43b85dd5a48b431d8fec3b88777fb801bb8d5fa1e4c2da801b018bcfe56800000204825820ecc1b58727f3f12b3194881a9ecb9de0b28ce7b207230d8e930fe1bce75e256c01

memo revocation of all that follows a memo
cid  bafyreico46whonto2ihzqu4ig5sz4bbogcclzrczq44mhwhpqi3udtcyuu
hex  89015820d7a5a878c4e9c0b4acfc6408cd6f2ccfea14560857c71702bdab3be68a5cc3aa5820d5bf4a3fcce717b0388bcc2749ebc148ad9969b23f45ee1b605fd58778576ac404d82a5825000171122078adae320481a8d651731ed4e7a0e0f8f0ca00d3a5bfdc926361e4c0b4a1f984801b018bcfe56800000305835820ecc1b58727f3f12b3194881a9ecb9de0b28ce7b207230d8e930fe1bce75e256c01d82a582500017112201dd6506dab793bd769f1f7e63b041836e768d2a299f7e345ea03eba5a83475a1

memo revocation of everything
cid  bafyreibsill3kjzi74o4iidob3gp67oj5traat7w2vrufrvi3a5n3h2brm
hex  89015820d7a5a878c4e9c0b4acfc6408cd6f2ccfea14560857c71702bdab3be68a5cc3aa5820d5bf4a3fcce717b0388bcc2749ebc148ad9969b23f45ee1b605fd58778576ac405d82a582500017112204ee7ac77366ed20f98538837659e042e3084bcc4598738c3d8ef823741cc58a5801b018bcfe56800000405835820ecc1b58727f3f12b3194881a9ecb9de0b28ce7b207230d8e930fe1bce75e256c00f6
`

// rightsMemos makes the memos of goldenRights anew.
func rightsMemos(t *testing.T) (names []string, memos []*Memo) {
	_, all := goldenMemos(t)
	genesis := all[0]
	_, bob := testKey("bob")
	last := genesis
	add := func(name string, b Body) {
		last = mustNew(t, Memo{
			Space: genesis.SpaceID(), Author: genesis.Author, Seq: last.Seq + 1, Prev: last.ID(), Time: Next(0, last.Time), Body: b,
		})
		names, memos = append(names, name), append(memos, last)
	}
	add("grant to a writer", &Grant{Author: bob})
	add("grant to a granter", &Grant{Author: bob, Role: Granter})
	add("revocation of all that follows a memo", &Revoke{Author: bob, Seq: all[2].Seq, ID: all[2].ID()})
	add("revocation of everything", &Revoke{Author: bob})
	return names, memos
}

func TestGoldenRights(t *testing.T) {
	var b strings.Builder
	names, memos := rightsMemos(t)
	for i, m := range memos {
		enc, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\nmemo %s\ncid  %s\nhex  %x\n", names[i], m.ID(), enc)
	}
	if diff := cmp.Diff(goldenRights, b.String()); diff != "" {
		t.Errorf("the format is frozen and has changed, - as it was + as it is:\n%s\nall of it:\n%s", diff, b.String())
	}
}

// TestGoldenRightsDecode reads the bytes alone.
func TestGoldenRightsDecode(t *testing.T) {
	_, want := rightsMemos(t)
	for i, v := range strings.Split(strings.TrimSpace(goldenRights), "\n\n") {
		f := fields(v)
		data, err := hex.DecodeString(f["hex"][0])
		if err != nil {
			t.Fatal(err)
		}
		checkGoldenMemo(t, data, f)
		m, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i].Body, m.Body, cmp.AllowUnexported(Grant{}, Revoke{})); diff != "" {
			t.Errorf("%s: %s", f["memo"], diff)
		}
		checkIPLD(t, data)
	}
}
