// Package engine runs a protocol of up to millions of peers on one machine, in
// virtual time.
//
//	e, err := engine.New(engine.Config{Peers: 1_000_000, Seed: 7, Until: engine.Seconds(10)}, newFlood)
//	err = e.Run(ctx)
//	fmt.Println(e.Total(engine.Events), e.Hash())
//
// # How it works
//
// Peers are numbered from 0. Each belongs to one of up to MaxShards shards, by its
// number; a shard has a timing wheel with the events of its peers and one Protocol
// value that keeps their state, best in flat slices. Nothing is faster than the
// shortest latency of the network, so shards can run on their own for a day, the
// greatest power of two of ticks within it, and then take what others sent to them
// meanwhile, in the order of the shards: conservative parallel simulation (Chandy, Misra
// 1979; Nicol 1993). How many workers run the shards is therefore not visible in any
// result.
//
// The state of a million peers is in no cache. Events of a day are sorted when it begins,
// so that they are read and written one after the other, and a Protocol that is a Toucher
// is told of some ahead, whose peers' state is then fetched all at once.
//
// Each peer draws from a random stream of its own, a counter-based one (Salmon and
// others 2011): its n-th number is a hash of seed, peer and n. A peer draws the same
// numbers whatever happens elsewhere.
//
// # What is a model here
//
// The network: latency between regions, jitter, loss, queues before links of limited
// bandwidth, partitions, churn and clocks that drift. A Protocol may itself be a model
// or drive the code that production runs; this package does not know.
//
// # What it must not know
//
// Real time, but to tell how fast it is, and what the events mean.
package engine
