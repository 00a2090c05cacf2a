package gossip

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"lightcone/memo"
)

func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

var (
	testSpace  = memo.SpaceID(fill(32, 0x55))
	testAuthor = memo.Author(fill(32, 0xaa))
	testID     = memo.ID(fill(32, 0x11))
	testLink   = memo.Link(testID)
)

const (
	hex32a  = "5820aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hex3211 = "58201111111111111111111111111111111111111111111111111111111111111111"
	hex3255 = "58205555555555555555555555555555555555555555555555555555555555555555"
	hex1677 = "5077777777777777777777777777777777"
)

// goldenFrames fix the bytes of every frame type. They never change: another
// format is another protocol, with another number behind /lightcone/recon/.
var goldenFrames = []struct {
	name  string
	frame message
	hex   string
}{
	{
		"HELLO",
		&hello{
			Type: typeHello, Version: 1, Space: testSpace, Proof: [proofSize]byte(fill(16, 0x77)),
			VecRoot: testID, Nonce: 0x0102030405060708, Credit: sessionCredit,
		},
		"88" + "01" + "01" + hex3255 + hex1677 + "f6" + hex3211 + "1b0102030405060708" + "1a00100000",
	},
	{
		"HELLO with a root",
		&hello{
			Type: typeHello, Version: 1, Space: testSpace, Proof: [proofSize]byte(fill(16, 0x77)),
			Root: &testLink, VecRoot: testID,
		},
		"88" + "01" + "01" + hex3255 + hex1677 + "d82a58250001711220" + hex3211[4:] + hex3211 + "00" + "00",
	},
	{
		"VEC",
		&vec{Type: typeVec, More: true, Heads: []vecHead{{Author: testAuthor, Seq: 300, ID: testID}, {Author: testAuthor}}},
		"83" + "02" + "82" + "83" + hex32a + "19012c" + hex3211 +
			"83" + hex32a + "00" + "5820" + "0000000000000000000000000000000000000000000000000000000000000000" + "f5",
	},
	{"VEC of nothing", &vec{Type: typeVec}, "83" + "02" + "80" + "f4"},
	{"RUNS", &runs{Type: typeRuns, Runs: []memo.Bytes{"ab", "c"}}, "82" + "03" + "82" + "426162" + "4163"},
	{"CREDIT", &credit{Type: typeCredit, Bytes: 65536}, "82" + "04" + "1a00010000"},
	{"DONE", &done{Type: typeDone}, "81" + "05"},
	{
		"FETCH",
		&fetch{Type: typeFetch, Version: 1, Space: testSpace, Proof: [proofSize]byte(fill(16, 0x77)), Fresh: true},
		"86" + "06" + "01" + hex3255 + hex1677 + "f6" + "f5",
	},
	{
		"FETCH with a root",
		&fetch{Type: typeFetch, Version: 1, Space: testSpace, Proof: [proofSize]byte(fill(16, 0x77)), Root: &testLink},
		"86" + "06" + "01" + hex3255 + hex1677 + "d82a58250001711220" + hex3211[4:] + "f4",
	},
	{"WANT", &want{Type: typeWant, IDs: []memo.ID{testID}}, "82" + "07" + "81" + hex3211},
	{"BLOCKS", &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{&testBlock, nil}}, "82" + "08" + "82" + "43626c6b" + "f6"},
	{
		"WANTSEALS",
		&wantSeals{Type: typeWantSeals, Heads: []vecHead{{Author: testAuthor, Seq: 300, ID: testID}}},
		"82" + "09" + "81" + "83" + hex32a + "19012c" + hex3211,
	},
	{
		"SEALS",
		&seals{Type: typeSeals, Space: testSpace, Seals: []*sealedHead{
			{Author: testAuthor, Seq: 300, ID: testID, Seal: memo.Seal(fill(64, 0x99))}, nil,
		}},
		"83" + "0a" + hex3255 + "82" + "84" + hex32a + "19012c" + hex3211 + "5840" + strings.Repeat("99", 64) + "f6",
	},
	{
		"RANGES",
		&ranges{Type: typeRanges, Author: testAuthor, More: true, Ranges: []runRange{
			{From: bound{Time: 300, Front: "ab"}, To: beyondAll, Kind: rangePrint, Print: print{Count: 2, High: 3, Low: 65536}},
			{Kind: rangeMore, Heads: packHeads([]rangeHead{{Seq: 7, ID: testID}})},
		}},
		"84" + "0d" + hex32a + "82" +
			"85" + "82" + "19012c" + "426162" + "82" + "1b8000000000000000" + "40" + "00" + "83" + "02" + "03" + "1a00010000" + "40" +
			"85" + "82" + "00" + "40" + "82" + "00" + "40" + "02" + "83" + "00" + "00" + "00" + "5828" + "0000000000000007" + hex3211[4:] + "f5",
	},
	{"RANGES without any", &ranges{Type: typeRanges, Author: testAuthor}, "84" + "0d" + hex32a + "80" + "f4"},
	{"NEED", &need{Type: typeNeed, IDs: []memo.ID{testID}}, "82" + "0e" + "81" + hex3211},
	{"BRANCHES", &branches{Type: typeBranches, Runs: []*memo.Bytes{&testBlock, nil}}, "82" + "0f" + "82" + "43626c6b" + "f6"},
	{"PROBE", &probe{Type: typeProbe, Author: testAuthor, Seqs: []uint64{1, 300}}, "83" + "10" + hex32a + "82" + "01" + "19012c"},
	{"PROBED", &probed{Type: typeProbed, IDs: []memo.ID{testID}}, "82" + "11" + "81" + hex3211},
	{"PARTED", &parted{Type: typeParted, Author: testAuthor, After: 300}, "83" + "12" + hex32a + "19012c"},
	{"VECNODES", &vecNodes{Type: typeVecNodes, Nodes: []memo.Bytes{"ab", "c"}}, "82" + "0b" + "82" + "426162" + "4163"},
	{"VECWANT", &vecWant{Type: typeVecWant, IDs: []memo.ID{testID}}, "82" + "0c" + "81" + hex3211},
	{"WORD", &word{Type: typeWord, Data: "ab"}, "82" + "13" + "426162"},
	{"WANTRUN", wantRunOf(testAuthor, 300), "82" + "14" + "83" + hex32a + "19012c" + "5820" + hex.EncodeToString(fill(32, 0))},
	{"VECWANT of a list", &vecWant{Type: typeVecWant}, "82" + "0c" + "80"},
}

var testBlock = memo.Bytes("blk")

var sameNil = cmpopts.EquateEmpty()

func TestGoldenFrames(t *testing.T) {
	for _, c := range goldenFrames {
		data := encode(c.frame)
		if got := hex.EncodeToString(data); got != c.hex {
			t.Errorf("%s is\n%s, want\n%s", c.name, got, c.hex)
		}
		back, err := decode(data)
		if diff := cmp.Diff(c.frame, back, sameNil, cmpopts.IgnoreUnexported(hello{}, vec{}, vecHead{}, runs{}, credit{}, done{},
			fetch{}, want{}, blocks{}, wantSeals{}, seals{}, sealedHead{}, vecNodes{}, vecWant{}, word{}, wantRun{},
			ranges{}, runRange{}, bound{}, print{}, need{}, branches{}, probe{}, probed{}, parted{})); err != nil || diff != "" {
			t.Errorf("%s comes back as %v: %s", c.name, err, diff)
		}
	}
}

// TestGoldenProof fixes what a proof is computed of.
func TestGoldenProof(t *testing.T) {
	p := proof(Secret(fill(16, 1)), testSpace, testAuthor, memo.Author(fill(32, 0xbb)))
	if got, want := hex.EncodeToString(p[:]), "1fe4bb0b02f34fd14738ccbbef2368ff"; got != want {
		t.Errorf("proof is %s, want %s", got, want)
	}
}

// TestGoldenPublication fixes the bytes on a topic: version, hint, run.
func TestGoldenPublication(t *testing.T) {
	data := publication(0x0102030405060708, []byte("run"))
	if got := hex.EncodeToString(data); got != "01"+"0102030405060708"+"72756e" {
		t.Errorf("publication is %s", got)
	}
	hint, run, err := parsePublication(data)
	if hint != 0x0102030405060708 || string(run) != "run" || err != nil {
		t.Errorf("comes back as %x, %q, %v", hint, run, err)
	}
}

// TestMessageID: the same run under another hint is the same message; hints
// alone differ.
func TestMessageID(t *testing.T) {
	id := func(hint uint64, run string) string { return MessageID(publication(hint, []byte(run))) }
	if id(1, "run") != id(2, "run") {
		t.Error("a hint changes the id of a run's message")
	}
	if id(1, "run") == id(1, "other") || id(1, "") == id(2, "") {
		t.Error("different messages share an id")
	}
	MessageID(nil) // whatever comes
}

// TestFramesAreStrict changes every golden frame at every byte, cuts and extends
// it: what still decodes encodes to the very same bytes.
func TestFramesAreStrict(t *testing.T) {
	check := func(data []byte) {
		t.Helper()
		m, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrWire) {
				t.Errorf("%x: %v is no ErrWire", data, err)
			}
			return
		}
		if again := encode(m); !bytes.Equal(again, data) {
			t.Errorf("%x decodes, but encodes to %x", data, again)
		}
	}
	for _, c := range goldenFrames {
		whole := encode(c.frame)
		for i := range whole {
			check(whole[:i])
			for bit := range 8 {
				data := bytes.Clone(whole)
				data[i] ^= 1 << bit
				check(data)
			}
		}
		if _, err := decode(append(bytes.Clone(whole), 0)); err == nil {
			t.Errorf("%s: a trailing byte is accepted", c.name)
		}
	}
	for _, long := range []string{
		"9805" + "01",                             // longer array head than needed
		"82" + "04" + "1801",                      // 1 in two bytes
		"82" + "1804" + "01",                      // the type in two bytes
		"9f" + "05" + "ff",                        // indefinite
		"82" + "04" + "20",                        // negative
		"82" + "04" + "f6",                        // null
		"82" + "03" + "f6",                        // no list
		"83" + "05" + "0000",                      // too many elements
		"a1" + "05" + "00",                        // a map
		"82" + "03" + "81" + "7b7fffffffffffffff", // a huge length
		"82" + "03" + "9affffffff",
		"82" + "17" + "80", // a type that is none
		"82" + "08" + "81" + "f4",
		"82" + "07" + "81" + "f6",
		"82" + "09" + "81" + "f6",
		"86" + "06" + "01" + hex3255 + hex1677 + "f6" + "f6",
	} {
		data, err := hex.DecodeString(long)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(data); err == nil {
			t.Errorf("%s is accepted", long)
		}
	}
}

func TestFramesRoundTrip(t *testing.T) {
	digest := rapid.Custom(func(t *rapid.T) (d [32]byte) {
		copy(d[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		return d
	})
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Uint64(), rapid.Just(uint64(0)), rapid.Just(uint64(math.MaxUint64)))
		var m message
		switch rapid.IntRange(typeHello, typeDone).Draw(t, "type") {
		case typeHello:
			m = &hello{
				Type: typeHello, Version: number.Draw(t, "version"), Space: digest.Draw(t, "space"),
				VecRoot: digest.Draw(t, "vecRoot"), Nonce: number.Draw(t, "nonce"), Credit: number.Draw(t, "credit"),
			}
		case typeVec:
			v := &vec{Type: typeVec, More: rapid.Bool().Draw(t, "more"), Heads: []vecHead{}}
			for range rapid.IntRange(0, 5).Draw(t, "heads") {
				v.Heads = append(v.Heads, vecHead{
					Author: digest.Draw(t, "author"), Seq: number.Draw(t, "seq"), ID: digest.Draw(t, "id"),
				})
			}
			m = v
		case typeRuns:
			r := &runs{Type: typeRuns, Runs: []memo.Bytes{}}
			for range rapid.IntRange(0, 5).Draw(t, "runs") {
				r.Runs = append(r.Runs, memo.Bytes(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "run")))
			}
			m = r
		case typeCredit:
			m = &credit{Type: typeCredit, Bytes: number.Draw(t, "bytes")}
		case typeDone:
			m = &done{Type: typeDone}
		}
		back, err := decode(encode(m))
		if err != nil || !reflect.DeepEqual(m, back) {
			t.Fatalf("%+v comes back as %+v, %v", m, back, err)
		}
	})
}

// TestEqualVectorsCostOneRoundTrip: two HELLOs, at most 300 bytes together with
// their length prefixes, and nothing else.
func TestEqualVectorsCostOneRoundTrip(t *testing.T) {
	const delay = 50 * time.Millisecond
	w := newWorld(1, 2, faults{delay: delay, noGossip: true})
	a, b := w.replicas[0], w.replicas[1]
	b.shelf.attach(Deliver{Runs: []*memo.Run{w.genesis}})
	w.connect(a, b)
	w.run(time.Second, func() bool { return a.core.Stats().Equal == 1 })
	if w.now != 2*delay {
		t.Errorf("took %v, a round trip is %v", w.now, 2*delay)
	}
	if w.bytes.frames != 2 || w.bytes.recon > 300 {
		t.Errorf("%d frames of %d bytes", w.bytes.frames, w.bytes.recon)
	}
	t.Logf("%d bytes", w.bytes.recon)
}

// TestFullFramesFit: the largest frames an honest core sends are within MaxFrame.
func TestFullFramesFit(t *testing.T) {
	v := &vec{Type: typeVec, Heads: make([]vecHead, vecChunk)}
	for i := range v.Heads {
		v.Heads[i] = vecHead{Author: testAuthor, Seq: math.MaxUint64, ID: testID}
	}
	r := &runs{Type: typeRuns, Runs: []memo.Bytes{memo.Bytes(fill(runsFrame, 1)), memo.Bytes(fill(memo.MaxForkProofRun, 1))}}
	block := memo.Bytes(fill(maxBlock, 1))
	b := &blocks{Type: typeBlocks, Blocks: []*memo.Bytes{&block}}
	w := &wantSeals{Type: typeWantSeals, Heads: v.Heads[:sealChunk]}
	s := &seals{Type: typeSeals}
	for range sealChunk {
		s.Seals = append(s.Seals, &sealedHead{Author: testAuthor, Seq: math.MaxUint64, ID: testID})
	}
	for _, m := range []message{v, r, b, w, s} {
		if n := len(encode(m)); n > MaxFrame {
			t.Errorf("%T has %d bytes, the limit is %d", m, n, MaxFrame)
		}
	}
}
