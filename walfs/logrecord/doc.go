// Package logrecord is the generated FlatBuffers accessor of walfs's LogRecord
// table {lsn, kind, data}, the payload of every frame in the log. The schema is
// ../record.fbs; `go generate lightcone/walfs` writes the code anew.
//
// Only walfs imports it: callers see walfs.Record and walfs.Entry. The accessors
// trust the buffer they are given, so walfs checks bounds before it calls them.
package logrecord
