// Command lightcone is the command line of a Lightcone node.
//
//	lightcone init                                # a directory, a key, the space "default"
//	lightcone up                                  # serve it to peers, until stopped
//	lightcone put airports/00M name=Thigpen elevation:=351
//	lightcone get airports/00M
//	lightcone import airports.csv
//	lightcone export > all.jsonl
//	lightcone context show TOKEN                  # what it names, and what of it is here
//	lightcone ticket                              # on one machine …
//	lightcone join TICKET                         # … and on another
//
// Data goes to stdout, words to stderr; --json makes data, and errors too, JSON.
// Exit codes are in exit.go.
//
// # One way in
//
// Every command talks to a node's control API. If `lightcone up` runs on the
// directory it is that node's. If nobody holds the directory, the command opens
// the node itself, serves the API to nobody but itself, and closes it at the
// end. So there is one code path, and a command behaves the same either way.
package main
