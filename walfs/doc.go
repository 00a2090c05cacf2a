// Package walfs keeps bytes that survive a crash: an append-only log of records
// in preallocated segment files, with positions, readers and a recovery that
// says what it found.
//
//	log, err := walfs.Open(dir, walfs.Options{})
//	placed, err := log.Append(walfs.Group, walfs.Record{Kind: walfs.KindOwnMemo, Data: b})
//	r, err := log.Reader(walfs.Position{})      // from the beginning
//	for {
//		e, err := r.Next()
//		if errors.Is(err, walfs.ErrNoNewData) {
//			err = r.Wait(ctx)           // sleeps until there is more
//		}
//		...
//	}
//
// Records are numbered 1, 2, 3, … over the whole log (LSN). Append returns once
// the promise it was asked for holds:
//
//   - None: the operating system has the bytes. A power cut may cost them.
//   - Interval(d): the same, and the log syncs on its own within d.
//   - Group, the zero Durability: they are on the disk, by an fdatasync shared with
//     whoever appended at the same time.
//   - Each: they are on the disk, by an fdatasync of their own.
//
// Appenders that come at once are written together, whatever they ask for. A failed
// sync stops the log for good (ErrStopped), because nobody can say afterwards which
// bytes the disk holds; reading goes on.
//
// Open repairs what a crash may leave (a torn tail, which it saves beside the
// log first) and refuses what a crash cannot cause (DamageError): it never
// overwrites records that were promised. It reads the last segment only; damage
// to the others is met by their readers, who go on behind it if they want to:
//
//	e, err := r.Next()
//	if errors.As(err, &damage) {            // a *DamageError: where, and what
//		lost, err := r.Skip()           // which bytes and LSNs are lost
//	}
//
// Options.Degraded opens a damaged log for reading, without changing a byte, and
// Log.Verify and Log.Segments look at every byte of one.
//
// A log is shortened at either end: Prune deletes whole segments whose records
// are kept elsewhere (Checkpoint) and read by all, Truncate cuts off the newest
// records.
//
// A Log is used by any number of goroutines. A Reader belongs to one. What an
// Entry shows is the log's own memory, valid as long as the Entry is kept. Two
// Logs must not be open on one directory, unless all but one are degraded; the
// caller holds a lock against that.
//
// The package knows nothing of memos, runs or spaces: a record is a kind and
// bytes. README.md has the byte tables and the recovery steps.
package walfs

//go:generate flatc --go -o . record.fbs
