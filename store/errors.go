package store

import "errors"

var (
	// ErrUnknownSpace reports memos of a space nobody added: call AddSpace first.
	ErrUnknownSpace = errors.New("memos of a space this replica does not take part in; add the space first")
	// ErrNotAttachable reports own memos that do not extend the own chain or
	// whose causes are not attached. Nothing was written.
	ErrNotAttachable = errors.New("memo cannot be attached")
	// ErrNotPermitted reports a memo whose author may not write into its space: nobody
	// entitled to it granted it that, or somebody revoked it.
	ErrNotPermitted = errors.New("the space is written by its members, and the author is none")
	// ErrOwnFork reports own memos of an author who wrote two memos for one place: its
	// key is in use elsewhere, or this directory is a copy. Nothing was written.
	ErrOwnFork = errors.New("another replica writes with this author's key, as after copying a data directory: " +
		"the chain has two branches, and to go on with it would make more. All data is kept. " +
		"Start with a new directory and a new author key, and join the space from there")
	// ErrNoBody reports a memo that is covered and not held: the state that has it
	// was adopted on a peer's word, or a checkpoint took its place. View.Vouched tells
	// which.
	ErrNoBody = errors.New("the memo is covered by a state that was adopted or compacted; its body is not held here")
	// ErrTrust reports a state that is to stand for memos in a space whose genesis
	// trusts memos alone.
	ErrTrust = errors.New("the space trusts memos alone (trust=verify): their bodies are kept, since receipts of keepers " +
		"do not exist yet, and no state is adopted in their place")
	// ErrNoRun reports the request for a run that the view does not hold.
	ErrNoRun = errors.New("no such run")
	// ErrRunFull reports that the own memos not sealed yet have no room for more
	// in one run: seal them (SealOwn), then append.
	ErrRunFull = errors.New("unsealed memos and new ones exceed one run; seal first")
	// ErrNoUnsealed reports a seal without memos to put it on.
	ErrNoUnsealed = errors.New("no unsealed memos to seal")
	// ErrLogBehind reports that records the index knows to have been on the disk
	// are not in the log.
	ErrLogBehind = errors.New("the log is older than its index; it was restored from an older copy: " +
		"restore a newer copy, or start with a new directory and a new key")
	// ErrBadLog reports a readable log whose records do not fit together.
	ErrBadLog = errors.New("the log holds a record that does not follow from those before it; " +
		"restore the directory from a copy, or read it with the version that wrote it")
	// ErrLocked reports a directory another process has open.
	ErrLocked = errors.New("the directory is open in another process; stop it or choose another directory")
	// ErrBroken reports an index that could not be written. The log is whole:
	// mend the disk and open again.
	ErrBroken = errors.New("the index cannot be written; mend the disk and open again")
	// ErrFull reports a disk without room. Nothing was written. Reading goes on,
	// and so does writing as soon as there is room.
	ErrFull = errors.New("disk is full; free some space, writing goes on by itself")
	// ErrUnsure marks an error after which the memos may all the same be in the
	// log when the store is opened again.
	ErrUnsure = errors.New("outcome unknown: it may be there after a restart")
	// ErrPruned reports the wish to read records that are no longer in the log.
	ErrPruned = errors.New("the log does not reach back so far")
	// ErrClosed reports the use of a closed store.
	ErrClosed = errors.New("store is closed")
	// ErrBadOptions is returned by Options.Validate and Open.
	ErrBadOptions = errors.New("bad store options")
)

// errIndex marks a fault of the index that rebuilding it from the log mends.
var errIndex = errors.New("index is not usable; stop the program, delete the kv directory and start again")
