package gossip

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// announcer signs with a key of its own, the same one in every run.
func announcer() *author { return authors(1, 1)[0] }

func (a *author) announcement() *Announcement {
	return &Announcement{
		From: a.id, Root: merge.Root{Vector: testID, State: memo.ID(fill(32, 0x22))}, Memos: 300, Peers: 5,
		Reading: []memo.Head{{Author: testAuthor, Seq: 7, ID: testID}},
		Heads:   []memo.Head{{Author: testAuthor, Seq: 301, ID: testID}, {Author: memo.Author(fill(32, 0xab)), Seq: 1, ID: testID}},
	}
}

// TestGoldenAnnouncement fixes the bytes of an announcement. They never change:
// another format is another version.
func TestGoldenAnnouncement(t *testing.T) {
	a := announcer()
	link := "d82a58250001711220" + hex3211[4:]
	const (
		author = "5820" + "9422d9be033851b07d69cbc06b70b4c3775f7df11456a70efd0d02c7051cacd4"
		sig    = "5840" + "74e27661d861a05622bb136663859d8f65ed261e730f7631c8cf1ed0c8a5b5ce5505d31c93dd929ea33255f09f7cd8e8b74ef073c7d3377597fe5c5a79d8d50a"
	)
	want := "8a" + "01" + hex3255 + author + hex3211 + "5820" + hex.EncodeToString(fill(32, 0x22)) + "19012c" + "05" +
		"81" + "83" + hex32a + "07" + link +
		"82" + "83" + hex32a + "19012d" + link + "83" + "5820" + hex.EncodeToString(fill(32, 0xab)) + "01" + link +
		sig
	data := a.announcement().sign(testSpace, a.sign)
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("an announcement is\n%s, want\n%s", got, want)
	}
	space, back, err := parseAnnouncement(data)
	if err != nil || space != testSpace {
		t.Fatalf("it comes back for %s: %v", space, err)
	}
	sent := a.announcement()
	sent.Raw = data
	if diff := cmp.Diff(sent, back); diff != "" {
		t.Errorf("it comes back as another: %s", diff)
	}
}

// resigned signs an announcement anew after change had its way with it.
func resigned(t *testing.T, a *author, change func(*announcement)) []byte {
	t.Helper()
	var w announcement
	if err := memo.Unmarshal(a.announcement().sign(testSpace, a.sign), &w); err != nil {
		t.Fatal(err)
	}
	change(&w)
	data, err := memo.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	sig := a.sign(signedPart(data))
	copy(data[len(data)-len(sig):], sig[:])
	return data
}

func TestAnnouncementsThatAreRefused(t *testing.T) {
	a := announcer()
	for name, change := range map[string]func(*announcement){
		"another version":    func(w *announcement) { w.Version = 2 },
		"another space":      func(w *announcement) { w.Space[0]++ },
		"no memos":           func(w *announcement) { w.Memos = 0 },
		"no peers":           func(w *announcement) { w.Peers = 0 },
		"heads out of order": func(w *announcement) { w.Heads[0], w.Heads[1] = w.Heads[1], w.Heads[0] },
		"a head twice":       func(w *announcement) { w.Heads[1] = w.Heads[0] },
		"a head without seq": func(w *announcement) { w.Heads[0].Seq = 0 },
		"too many heads":     func(w *announcement) { w.Heads = manyHeads(MaxAnnouncedHeads + 1) },
		"too long a reading": func(w *announcement) { w.Reading = manyHeads(MaxAnnouncedHeads + 1) },
	} {
		if err := Prepare(&HeardRoot{Space: testSpace, Data: resigned(t, a, change)}); !errors.Is(err, ErrWire) {
			t.Errorf("%s: %v, want ErrWire", name, err)
		}
	}
	for name, change := range map[string]func(*announcement){
		"what it was":         func(*announcement) {},
		"as many heads":       func(w *announcement) { w.Heads = manyHeads(MaxAnnouncedHeads) },
		"no heads at all":     func(w *announcement) { w.Heads, w.Reading = nil, nil },
		"the longest of them": longest,
	} {
		if err := Prepare(&HeardRoot{Space: testSpace, Data: resigned(t, a, change)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyHeads(n int) []announcedHead {
	heads := make([]announcedHead, n)
	for i := range heads {
		binary.BigEndian.PutUint32(heads[i].Author[:], uint32(i))
		heads[i].Seq = math.MaxUint64
	}
	return heads
}

func longest(w *announcement) {
	w.Memos, w.Peers = math.MaxUint64, math.MaxUint64
	w.Reading, w.Heads = manyHeads(MaxAnnouncedHeads), manyHeads(MaxAnnouncedHeads)
}

// TestLongestAnnouncement: the limit is what the longest takes, and above it
// nothing is looked at.
func TestLongestAnnouncement(t *testing.T) {
	data := resigned(t, announcer(), longest)
	if len(data) != MaxAnnouncement {
		t.Errorf("the longest announcement has %d bytes, the limit is %d", len(data), MaxAnnouncement)
	}
	long := resigned(t, announcer(), func(w *announcement) { w.Heads = manyHeads(100_000) })
	if n := allocated(func() {
		if Prepare(&HeardRoot{Space: testSpace, Data: long}) == nil {
			t.Error("an announcement above the limit passed")
		}
	}); n > 64<<10 {
		t.Errorf("refusing an announcement above the limit allocates %d bytes", n)
	}
}

// TestAnyChangeBreaksTheSignature changes one bit anywhere.
func TestAnyChangeBreaksTheSignature(t *testing.T) {
	a := announcer()
	good := a.announcement().sign(testSpace, a.sign)
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(good)
		data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := Prepare(&HeardRoot{Space: testSpace, Data: data}); !errors.Is(err, ErrWire) && !errors.Is(err, memo.ErrBadSeal) {
			t.Fatalf("%x passed: %v", data, err)
		}
	})
}

// TestSignedByAnother: who signs must be who is named.
func TestSignedByAnother(t *testing.T) {
	two := authors(1, 2)
	data := two[0].announcement().sign(testSpace, two[1].sign)
	if err := Prepare(&HeardRoot{Space: testSpace, Data: data}); !errors.Is(err, memo.ErrBadSeal) {
		t.Errorf("signed by another: %v, want ErrBadSeal", err)
	}
}

// FuzzAnnouncement: an announcement that is accepted is its bytes and for the topic
// on which it came.
func FuzzAnnouncement(f *testing.F) {
	a := announcer()
	f.Add(a.announcement().sign(testSpace, a.sign))
	f.Add((&Announcement{From: a.id, Memos: 1, Peers: 1}).sign(testSpace, a.sign))
	f.Add([]byte{0x8a, wireVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		h := &HeardRoot{Space: testSpace, Data: data}
		err := Prepare(h)
		if err != nil {
			if !errors.Is(err, ErrWire) && !errors.Is(err, memo.ErrBadSeal) {
				t.Fatalf("refused without a name: %v", err)
			}
			return
		}
		same := func([]byte) memo.Seal { return memo.Seal(data[len(data)-64:]) }
		if again := h.announcement.sign(h.Space, same); !bytes.Equal(again, data) {
			t.Fatalf("accepted %x and wrote %x", data, again)
		}
	})
}
