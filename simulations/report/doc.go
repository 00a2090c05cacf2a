// Package report is what a simulation leaves behind: a Result, and the files made of
// it. CSV of every chart, a JSON summary, Parquet of samples and one HTML page with
// SVG charts that needs nothing else to be read or printed.
//
// A Result holds no wall-clock time but in Cost, so equal simulations have equal
// files but for that.
package report
