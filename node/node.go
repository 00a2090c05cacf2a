package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/projection"
	"lightcone/store"
	"lightcone/walfs"
)

// PeerID names a replica: its author key, which is also its libp2p identity.
type PeerID = memo.Author

// Node is one open replica. Its methods are safe for concurrent use.
type Node struct {
	dir  string
	opts Options
	log  *slog.Logger
	key  ed25519.PrivateKey
	id   PeerID
	lock *os.File

	store *store.Store
	proj  *projection.DB
	view  atomic.Pointer[view]
	net   atomic.Pointer[network]

	owner  *owner
	folder *folder
	writes chan *write
	inputs chan gossip.Input
	quick  chan gossip.Input // those that take turns with all others, see gossip.Quick
	calls  chan call
	gate   gate
	check  chan struct{} // slots of the signature-checking pool
	quit   chan struct{} // closed by Close
	done   chan struct{} // closed when the owner ended

	chance  *rand.Rand
	follows follows

	mu     sync.Mutex
	spaces map[memo.SpaceID]*Space
	closed bool
}

// network wraps the driver so that it fits an atomic pointer.
type network struct{ gossip.Network }

// Open opens the replica in dir and makes what is missing: the directory, the
// author's key, an empty log. The directory is held until Close; a second Open,
// by any process, fails with a LockedError.
func Open(dir string, o Options) (*Node, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, classify(err)
	}
	n := &Node{
		dir: dir, opts: o.withDefaults(), lock: lock,
		writes: make(chan *write, maxQueuedWrites), inputs: make(chan gossip.Input, maxQueuedInputs),
		quick: make(chan gossip.Input, maxQueuedInputs),
		calls: make(chan call, maxQueuedCalls), check: make(chan struct{}, runtime.GOMAXPROCS(0)),
		quit: make(chan struct{}), done: make(chan struct{}), spaces: map[memo.SpaceID]*Space{},
	}
	n.log, n.chance = n.opts.Logger, newChance(o.Seed)
	if err := n.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, classify(err)), n.release())
	}
	go n.owner.run()
	go n.folder.run()
	return n, nil
}

// load opens the parts, brings the projection up to the log and makes the owner.
func (n *Node) load() (err error) {
	if n.key, err = loadKey(n.dir); err != nil {
		return err
	}
	n.id = PeerID(n.key.Public().(ed25519.PublicKey))
	st, err := loadState(n.dir)
	if err != nil {
		return err
	}
	o := store.Options{WAL: walfs.Options{SegmentSize: n.opts.SegmentSize, FS: n.opts.LogFS}, Logger: n.log}
	if n.opts.Volatile {
		o.KV = store.NewMemoryKV()
	}
	n.store, err = store.Open(n.dir, o)
	if err != nil {
		return err
	}
	n.proj, err = projection.Open(filepath.Join(n.dir, "projection.db"), projection.Options{Memory: n.opts.Volatile})
	if err != nil {
		return err
	}
	n.owner, n.folder = newOwner(n, st), newFolder(n)
	return n.owner.recover()
}

// release closes what is open, in the order that keeps the rest readable.
func (n *Node) release() error {
	var errs []error
	if n.proj != nil {
		errs = append(errs, n.proj.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(append(errs, n.lock.Close())...)
}

// Close ends the replica: queued writes are finished first, then everything is
// synced and the directory released. Close the p2p server before.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.mu.Unlock()
	close(n.quit)
	<-n.done
	<-n.folder.done
	if n.owner.answered() {
		n.store.Settled()
	}
	return n.release()
}

// ID returns who this node is, as an author and as a peer.
func (n *Node) ID() PeerID { return n.id }

// Dir returns the node's directory.
func (n *Node) Dir() string { return n.dir }

// Policy says how a new space is governed. The zero Policy is open and verifies.
type Policy struct {
	Rights memo.Rights
	Trust  memo.Trust
}

// CreateSpace makes a space with this node's author as its first. The name is
// local: others may call the space differently.
func (n *Node) CreateSpace(name string, p Policy) (*Space, error) {
	if p.Rights == memo.Members && p.Trust == memo.Adopt {
		return nil, fmt.Errorf("create space %q: members and trust=adopt in one: a state names no grants; %w", name, ErrUnsupported)
	}
	c := &createSpace{name: name, policy: p, reply: make(chan spaceReply, 1)}
	r, err := await(context.Background(), n, c, c.reply)
	if err != nil {
		return nil, err
	}
	return r.space, r.err
}

// OpenSpace returns a space of this node by its local name or its id.
func (n *Node) OpenSpace(nameOrID string) (*Space, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.spaces {
		if s.name == nameOrID || s.id.String() == nameOrID {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoSpace, nameOrID)
}

// allSpaces returns the spaces of this node, in no order.
func (n *Node) allSpaces() []*Space {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.spaces))
}

// addSpace makes a space visible to OpenSpace.
func (n *Node) addSpace(id memo.SpaceID, name string) *Space {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, ok := n.spaces[id]
	if !ok {
		s = &Space{node: n, id: id, name: name}
		s.layer.Store(&layer{changed: make(chan struct{})})
		n.spaces[id] = s
	}
	return s
}

// Key returns the private key; it satisfies p2p.Core.
func (n *Node) Key() ed25519.PrivateKey { return n.key }
