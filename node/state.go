package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

const (
	keyFile   = "key"
	stateFile = "spaces.json"

	// maxKnownPeers bounds the peers remembered per space across restarts.
	maxKnownPeers = 256
	// maxTickets bounds the tickets of a space whose uses are still counted.
	maxTickets = 1024
)

// loadKey reads the author key, or makes one. The file holds the 32-byte seed
// in hex and must be readable by its owner alone.
func loadKey(dir string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, keyFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(path)
	}
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("%w %s has mode %o; others can read it: chmod 600 it", ErrKeyFile, path, perm)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w %s does not hold %d bytes in hex; restore it from a backup", ErrKeyFile, path, ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func newKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, writeFile(path, []byte(hex.EncodeToString(key.Seed())+"\n"))
}

// writeFile replaces a file as a whole, durably, readable by its owner alone.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// state is what a node knows besides memos: local names of spaces, their
// secrets, peers and tickets. It is a small JSON file, replaced as a whole.
type state struct {
	Version int           `json:"version"`
	Late    LatePolicy    `json:"late,omitempty"` // "" is LateAccept
	Spaces  []*spaceState `json:"spaces"`
}

type spaceState struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Secret  []byte         `json:"secret"`
	Late    LatePolicy     `json:"late,omitempty"` // "": as state.Late says
	Peers   []*knownPeer   `json:"peers,omitempty"`
	Tickets []*ticketState `json:"tickets,omitempty"`
}

type knownPeer struct {
	ID     string   `json:"id"`
	Addrs  []string `json:"addrs,omitempty"`
	Pinned bool     `json:"pinned,omitempty"` // it issued our ticket: stay connected
}

// ticketState counts who used a ticket that this node issued.
type ticketState struct {
	Nonce   uint64    `json:"nonce"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	Scope   string    `json:"scope,omitempty"`
	UsedBy  []string  `json:"usedBy,omitempty"`
}

const stateVersion = 1

func loadState(dir string) (*state, error) {
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{Version: stateVersion}, nil
	}
	if err != nil {
		return nil, err
	}
	st := new(state)
	if err := json.Unmarshal(data, st); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; restore it from a backup, or remove it and join the spaces again", path, err)
	}
	if st.Version != stateVersion {
		return nil, fmt.Errorf("%s has version %d, this program reads %d; use the program that wrote it", path, st.Version, stateVersion)
	}
	if err := st.Late.Validate(); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	for _, s := range st.Spaces {
		if _, err := memo.ParseSpaceID(s.ID); err != nil || len(s.Secret) != len(gossip.Secret{}) || s.Late.Validate() != nil {
			return nil, fmt.Errorf("%s is damaged at space %q; restore it from a backup", path, s.Name)
		}
	}
	return st, nil
}

func (st *state) save(dir string) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, stateFile), append(data, '\n'))
}

// find returns the space by local name or by id.
func (st *state) find(nameOrID string) *spaceState {
	for _, s := range st.Spaces {
		if s.Name == nameOrID || s.ID == nameOrID {
			return s
		}
	}
	return nil
}

// freeName returns name, or name-2, name-3, … if it is taken here.
func (st *state) freeName(name string) string {
	out := name
	for i := 2; st.find(out) != nil; i++ {
		out = fmt.Sprintf("%s-%d", name, i)
	}
	return out
}

// forget forgets a peer of the space and reports whether it was known.
func (s *spaceState) forget(p PeerID) bool {
	was, id := len(s.Peers), p.String()
	s.Peers = slices.DeleteFunc(s.Peers, func(k *knownPeer) bool { return k.ID == id })
	return len(s.Peers) < was
}

// know remembers a peer of the space and, if there are any, its addresses. It
// reports whether that changed anything.
func (s *spaceState) know(p PeerID, addrs []string) bool {
	id := p.String()
	for _, k := range s.Peers {
		if k.ID == id {
			if len(addrs) == 0 || slices.Equal(k.Addrs, addrs) {
				return false
			}
			k.Addrs = addrs
			return true
		}
	}
	if len(s.Peers) >= maxKnownPeers {
		return false
	}
	s.Peers = append(s.Peers, &knownPeer{ID: id, Addrs: addrs})
	return true
}

// pin makes a known peer one to stay connected with.
func (s *spaceState) pin(p PeerID) {
	for _, k := range s.Peers {
		k.Pinned = k.Pinned || k.ID == p.String()
	}
}
