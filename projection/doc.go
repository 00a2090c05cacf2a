// Package projection is the view that answers queries: rows folded from memos,
// kept in a B+Tree file beside the log and never the truth. It can be deleted
// at any time and is rebuilt from the log.
//
// # Use
//
//	db, err := projection.Open(path, projection.Options{})
//	// replay the log from db.Applied()+1, then keep going:
//	err = db.Apply(lsn, changes)             // one caller: the replica's owner
//	snap, err := db.Snapshot()               // any goroutine; cheap; Close it
//	row, live, err := snap.Get(space, "airports", "SFO")
//	for item, err := range snap.Scan(space, projection.Range{Topic: "airports"}) { … }
//	digest, err := snap.Digest(params)       // equal on converged peers
//
// # How it holds together
//
// A row's state is the join (package merge) of every delta applied to it, so
// neither order nor duplicates matter. Three layers hold it, the newer hiding
// the older:
//
//	active     the memtable that Apply writes, a copy-on-write ordered map
//	flushing   the memtable being written to the file, or none
//	base       a read transaction of the bbolt file, with the LSN it reaches
//
// A view is one immutable triple of them behind an atomic pointer. Apply
// publishes a new one when all its rows are in, so a reader sees the whole of an
// Apply or nothing of it. The flusher, the only goroutine of this package and
// the only writer of the file, publishes another when a flush starts and when it
// is done. It opens the base right after its commit, when no one else can have
// written: a base therefore holds exactly the rows up to its LSN, and the three
// layers of a view always fit together. A view keeps its base for as long as a
// snapshot uses it; rows of older bases stay in the file until then.
//
// On a full disk the flusher tries its table again until there is room; Ready says
// so, and readers see no difference.
//
// Rows and the LSN they reach are committed in one synced transaction. A crash
// loses memtables only, and the log replays them.
//
// # The file
//
//	bucket "meta"          "version" → u64be 1, "tally" → sealed LSN, number and sum of rows
//	bucket <space id, 32>  merge.RowKey(topic, row) → sealed u8 live · row state
//	sealed                 u32be CRC-32C of bucket, key and body · body
//
// Open reads every row once and refuses a file that is damaged (ErrCorrupt) or of
// another format (ErrVersion); both name the fix, which is to delete it.
//
// # What this package does not know
//
// The log behind the LSNs, the network, and whether a change may be applied:
// changes come from memos that attached.
package projection
