package merge_test

import (
	"encoding/hex"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// The vectors below never change: digests of data that exists depend on them.

// Bytes of the state of a real row, "00M" of airports.csv (6 fields beside the
// key, imported by one memo), 195 in all:
//
//	80  provenance: author 34, seq 2, digest 34, time 9, its head 1
//	37  field names
//	45  values, 18 of them the coordinates
//	30  what a cell adds to its name and value: 5 each
//	 3  heads of the state and the table, no tombstone
//
// Every further memo with a say in the row adds 79 to 87 bytes, by its seq.
func TestGoldenRowState(t *testing.T) {
	s := merge.Stamp{
		Time: memo.Next(1_700_000_000_000), Author: mergetest.Author(1),
		Seq: 42, ID: memo.Sum([]byte("memo")),
	}
	golden(t, "row of airports", encode(t, airport(t, s)), ""+
		"88818458206023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd182a58209c225a950b92172f8c"+
		"2afe8b682b7b86ce8f835578b546f9b8070cba309ad3141b018bcfe568000000f68544636974790000016b42617920537072"+
		"696e67738547636f756e7472790000016355534185486c61746974756465000001fb403ff429ecb87a8585496c6f6e676974"+
		"756465000001fbc0564f022015ca1785446e616d65000001675468696770656e85457374617465000001624d53")

	later := s
	later.Seq, later.Time, later.ID = 43, s.Time+1, memo.Sum([]byte("later"))
	row := merge.Join(delta(t, s, true, set("", "kept")), delta(t, later, false, del("gone")))
	golden(t, "row of two memos, with a tombstone", encode(t, row), ""+
		"84828458206023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd182a58209c225a950b92172f8c"+
		"2afe8b682b7b86ce8f835578b546f9b8070cba309ad3141b018bcfe5680000008458206023e54cda16371a6fc1257eb30c15"+
		"85dcda4a1ea89ce2a7b540c2fe21c127fd182b58201d9283d848ea941ace1fe0d2378ef8b70056a0d4d1648b95a322d90163"+
		"e782851b018bcfe568000001008540000001646b6570748444676f6e65000100")
}

func TestGoldenCells(t *testing.T) {
	golden(t, "row of a multi, a counter and a set", encode(t, richRow(t)), ""+
		"87828458206023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd02582025dfd29c09617dcc9852"+
		"281c030e5b3037a338a4712a42a21c907f259c6412a002845820fcc9ba1fa9b050e331c3da0f10020ff9ae29441fde0e558a"+
		"34ba59330e573fb60558207c2f2290b282a9630f38a2449df18d5595dd88a3e9c9ca138fc5d3a72266211c05008444676f6e"+
		"6501810181825820f3a1b852a7774425faa9e4fa1cd8f312f557bcb1a2cd22d256b241a802acba2a0385416d018101818201"+
		"01830101617684416e0285000101000384018304582045b1703c1930b94d7b8d180ad8f17077439862d8f23827ecb89a07d0"+
		"ef2ff463582062c5e5f8411632eb7f39af424dd25eaf942f18fd47264f72462ba9b498ffd337020185417200010161778641"+
		"730382000182880009010103030608820101830004208301016178")
}

func TestGoldenTree(t *testing.T) {
	p := testParams()
	empty, b := build(t, p, nil)
	golden(t, "empty tree", b[empty], "83010080")

	leaf, b := build(t, p, map[string][]byte{"a": {0x01}, "ab": {0x41, 0xff}, "b": {0x80}})
	golden(t, "leaf", b[leaf], "8301008383004161018301416241ff8300416280")

	inner, b := build(t, p, valued(sequentialKeys(100)))
	golden(t, "inner node", b[inner], ""+
		"8301018385004c726f772f303030303030303058209673ac292d8be52aadfdc7d47ac06dda1a1bf4cba31f1d490858692137"+
		"2bc0d51401850a42323058208f67651545645349965d692d47c4f862f72fa2d9e3ec6ab7acd1b09abda1c832182301850a42"+
		"35355820f19a88d8112934749ecfb95b2047e06abacc919205264f3918ae00c4264ef674182d01")

	hundred, b := build(t, p, valued(sequentialKeys(100)))
	proof := memo.Sum(prove(t, p, b, hundred, "row/00000050").Encode())
	golden(t, "id of a proof", proof[:], "40c4cf17146e2c59e7ed34c898fa0acc5464140fc958ef80a56bb310b397f4b0")

	large, _ := build(t, p, valued(sequentialKeys(10_000)))
	golden(t, "id of a tree of 10,000 entries", large[:], "a159d6b69233cb555023e33e053543d5e0571fbea18a76901bafa040aadfdaa0")

	var v memo.Vector
	v.Set(memo.Mark{Head: memo.Head{Author: mergetest.Author(1), Seq: 42, ID: memo.Sum([]byte("memo"))}, Time: 7})
	b = blocks{}
	vector, err := merge.BuildVector(p, v, b)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "vector tree", b[vector], ""+
		"83010081830058206023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd84182a58209c225a950b"+
		"92172f8c2afe8b682b7b86ce8f835578b546f9b8070cba309ad31407f4")

	root, err := merge.Root{Params: p, Vector: vector, State: large}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "root", root, ""+
		"84018458203f49dbbfe051cb20cc038923424fedf8d18307cc805e1520e4168e9360e2eb38101880035820cc5817e6042338"+
		"705f7953d3de5f5af18077de907f24877508b62c87c0637afc5820a159d6b69233cb555023e33e053543d5e0571fbea18a76"+
		"901bafa040aadfdaa0")
}

func TestGoldenNestedRow(t *testing.T) {
	p, b := testParams(), blocks{}
	value := func(row merge.Row) ([]byte, memo.ID) {
		n, tree, _ := head(t, p, b, stateOf(t, p, row, b))
		return cbor(t, arr{2, n, tree}), tree
	}
	mixed, tree := value(mixedRow(t))
	golden(t, "nested row of all types", mixed, "83020758200e774a142dfc895e8cb726b9cbbacde6fd4924ab5d89d504cb595e973c123fda")
	golden(t, "its tree", b[tree], ""+
		"8301008783004082818458206023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd0158209dcf97"+
		"a184f32623d11a73124ceb99a5709b083721e878a16d78f596718ba7b2010083004362000058201ebabecbf97ce33fb5f9c9"+
		"28a7cfdaac45aff9e00513513e2d54c227b8a9b4cc83004363000058204198de6764ae22d384986dc92af325ddd1d802de86"+
		"cc13dca6b8e1f39cc5e2e5830058236e00026023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd"+
		"58204379e8b99a4aa007af9580f4bbebff105671d8ac234bbe632c5240eac261555c83005824730003006023e54cda16371a"+
		"6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd582085052b27f9ae35b25f38977e469416d730f8816c50522c0e"+
		"d847dd3c062e1eb183035829016023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd0000000000"+
		"0000015820d3ac4cdd0965428e39716944a409e5839c97923441f21203dd656d6bbc61a24483045828fcc9ba1fa9b050e331"+
		"c3da0f10020ff9ae29441fde0e558a34ba59330e573fb600000000000000015820473f5c0d411a5908d2e14c46481fc2a2fa"+
		"09ca36f7d8e2f6a49e3a9998792b16")
	golden(t, "its piece of authors", piecesIn(t, p, b, tree)[4].state, ""+
		"83828458206023e54cda16371a6fc1257eb30c1585dcda4a1ea89ce2a7b540c2fe21c127fd02582025dfd29c09617dcc9852"+
		"281c030e5b3037a338a4712a42a21c907f259c6412a002845820fcc9ba1fa9b050e331c3da0f10020ff9ae29441fde0e558a"+
		"34ba59330e573fb6035820d4ea3fc5537ce615543ea44f074bff451fb6c9749e9e8692c111f7070b4780c703f68441730382"+
		"000182820003820102")
	set, _ := value(large(20_000, 3, 7))
	golden(t, "nested set of 20,000", set, "830219018a58205fcd317ef15cca2e36c9a23d09b54122fd11253e3e6d348e38e1cfcb92913647")
	fields, _ := value(wide(t, 10_000))
	golden(t, "nested row of 10,000 fields", fields, "830218c858200badaf12647650db09cd027dd61b3723a1a475efd614796425998fafe32ab809")
}

func golden(t *testing.T, name string, got []byte, want string) {
	t.Helper()
	if h := hex.EncodeToString(got); h != want {
		t.Errorf("%s is %d bytes:\n%s\nwant\n%s", name, len(got), h, want)
	}
}
