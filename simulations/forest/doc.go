// Package forest holds the roots of a simulation's peers: real ones, made by package
// merge of real memos, each of them once, however many peers have it.
//
//	f, err := forest.New(forest.Config{Seed: 1, Authors: 8, Each: 60, Rows: 1})
//	f.Write(0, now)                // author 0 seals its next memo
//	r := f.Add(forest.Empty, 0)    // the root that has it
//	m := f.Merge(mine, r)          // merge.MergeRoot of both
//	mine = m.Root
//	c := f.Cost(mine, other)       // what to fetch, and which rows to merge, for it
//
// # How it works
//
// A Root is a number that stands for a cut: how many memos it has of each author. Equal
// cuts have equal numbers, so a peer's root is 4 bytes and roots are compared as numbers.
// A cut's trees are made when somebody asks what only they tell: ID, Cost, Merge.
// They are made of the nearest root below it that has trees, by merge.ApplyState and
// merge.ApplyVector. All blocks are in one store, each once: equal hash, same object.
//
// Merge runs merge.MergeRoot, once for each pair, and remembers what it made, read
// and put. Cost is what a peer that has all blocks of one root, and nothing else, lacks of
// another's: blocks that it would ask for in a fetch, and rows that it would join.
//
// That a root is a function of its cut, whoever makes it and by whichever way, is
// what package merge promises and what this package stands on. It is looked at each
// time: where a merge makes another root than the one that is known of the same cut,
// Err tells.
//
// # Many at once
//
// All methods may be called by several goroutines at the same time. Who gets
// which number depends on who comes first: a Root must not show in a result, but
// ID, Sum and counts may, which depend on the cut alone. A memo is to be written before it is
// added, as by the message that brings it.
//
// # What is not here
//
// Nothing is forgotten: a run has as many roots as its peers make different ones. Nobody
// forks a chain. Which peer holds which blocks is not kept: Cost takes it that a peer
// holds those of its own root.
package forest
