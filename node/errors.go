package node

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"lightcone/memo"
	"lightcone/projection"
	"lightcone/store"
	"lightcone/walfs"
)

var (
	// ErrNotFound reports a row that does not exist in the view that was read.
	ErrNotFound = errors.New("not found")
	// ErrNoSpace reports a space that this node does not hold.
	ErrNoSpace = errors.New("no such space here; create it or join it with a ticket")
	// ErrSpaceExists reports a name that is taken.
	ErrSpaceExists = errors.New("a space of that name exists here")
	// ErrClosed reports the use of a closed node.
	ErrClosed = errors.New("node is closed")
	// ErrLocked reports a directory that another process holds; see LockedError.
	ErrLocked = errors.New("directory is in use")
	// ErrDamaged reports files that are not as they were written. Nothing of them
	// was changed by opening.
	ErrDamaged = errors.New("damaged data")
	// ErrDiskFull reports a disk without room. Nothing was written. Reading goes
	// on, and so does writing once there is room.
	ErrDiskFull = errors.New("disk is full; free some space, writing goes on by itself")
	// ErrStopped reports a node that takes no more writes because a disk failed
	// it: what it holds on disk is known again after a restart. Reading goes on.
	ErrStopped = errors.New("writing stopped; mend the disk and restart the node")
	// ErrOwnFork reports a space in which another replica writes with this node's key,
	// as after copying a data directory. Writes are refused there; reading goes on.
	ErrOwnFork = errors.New("own chain was forked")
	// ErrKeyFile reports a key file that cannot be trusted or read.
	ErrKeyFile = errors.New("key file")
	// ErrNoNetwork reports an operation that needs peers on a node without a network.
	ErrNoNetwork = errors.New("node has no network; start it with `lightcone up`")
	// ErrContextUnavailable reports a context whose precise state, or extent, this
	// node cannot tell; the error that wraps it says why, and what to do.
	ErrContextUnavailable = errors.New("context unavailable")
	// ErrTooManyTokens reports a session that took more contexts than it can wait for.
	ErrTooManyTokens = errors.New("session took too many contexts that this node lacks; wait for them one by one, in sessions of their own")
	// ErrTooManyFetches reports that too many callers wait for roots of peers.
	ErrTooManyFetches = errors.New("too many roots are being fetched at once; try again when others have come")
	// ErrNotPermitted reports what only members of a space may do, or only those who
	// may grant.
	ErrNotPermitted = errors.New("not permitted")
	// ErrUnsupported reports what a later version brings.
	ErrUnsupported = errors.New("not supported by this version")
	// ErrBadTicket reports a text that is no ticket or was damaged on its way.
	ErrBadTicket = errors.New("not a valid ticket; copy it whole, or ask for a new one")
	// ErrTicketExpired reports a ticket past its time.
	ErrTicketExpired = errors.New("ticket has expired; ask for a new one")
	// ErrTicketRefused reports a ticket its issuer does not accept.
	ErrTicketRefused = errors.New("ticket refused")
	// ErrNoRoute reports a peer that could not be reached.
	ErrNoRoute = errors.New("peer cannot be reached")
)

// marked is an error of the node's parts that also is one of the above. Its text
// says what the part said, cause and fix.
type marked struct {
	error
	as error
}

func (e marked) Is(target error) bool { return target == e.as }

func (e marked) Unwrap() error { return e.error }

// classify marks the errors of the parts that mean damaged files, a full disk or
// one that failed.
func classify(err error) error {
	var damage *walfs.DamageError
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case errors.As(err, &damage), is(store.ErrBadLog), is(projection.ErrCorrupt):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case is(store.ErrFull), is(projection.ErrFull), walfs.NoSpace(err):
		return marked{err, ErrDiskFull}
	case is(store.ErrOwnFork):
		return marked{err, ErrOwnFork}
	case is(walfs.ErrStopped), is(store.ErrBroken), is(projection.ErrStopped):
		return marked{err, ErrStopped}
	}
	return err
}

// LockedError says who holds the directory. It is ErrLocked.
type LockedError struct {
	Dir     string
	PID     int
	Command string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%v: %s is held by process %d (%s); stop it, or use another --dir", ErrLocked, e.Dir, e.PID, e.Command)
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// BehindError reports a read or write whose context this node does not cover.
// Waiting or asking one of the Holders may help.
type BehindError struct {
	// Missing names the memos. Of those known from a token alone, ID holds the
	// first 8 bytes and zeros; Author likewise when nothing of the author is here.
	Missing []memo.Head
	// Holders are peers that have them, or are likely to: who issued the token,
	// who wrote them.
	Holders []PeerID
	Lag     Lag
	// Forked says that this node holds another memo at one of these places: the
	// author forked its chain, or lost writes and wrote others. Waiting is useless.
	Forked bool
	// Held says that some of them came, late, and are held back, see LateQuarantine:
	// waiting is useless until they are released.
	Held bool
}

// Lag says how far behind a view is.
type Lag struct {
	Memos   uint64 // at least so many memos are missing
	Beacons int    // of so many beacons, that is authors
	// Time is an estimate from above: since the last memo that is here of the beacon
	// whose last one is the oldest, of those. 0: nothing of any of them is here.
	Time time.Duration
}

func (e *BehindError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stale: at least %d memo(s) of the context are not here:", e.Lag.Memos)
	for _, h := range e.Missing {
		fmt.Fprintf(&b, " %s;", MissingText(h))
	}
	if e.Forked {
		b.WriteString(" another memo stands at that place, so waiting does not help;")
	}
	if e.Held {
		b.WriteString(" some came late and are held back here, see `lightcone beacons --held`;")
	}
	switch len(e.Holders) {
	case 0:
		b.WriteString(" nobody connected is known to have them")
	default:
		fmt.Fprintf(&b, " %d peer(s) may have them: %v", len(e.Holders), e.Holders)
	}
	return b.String()
}

// MissingText shows a head that may be known in part: its author's chain
// position, and the digest's first 8 bytes.
func MissingText(h memo.Head) string {
	who := h.Author.String()
	if tail := h.Author[8:]; [24]byte(tail) == [24]byte{} {
		who = fmt.Sprintf("author %x…", h.Author[:8])
	}
	return fmt.Sprintf("%s #%d (%x…)", who, h.Seq, h.ID[:8])
}
