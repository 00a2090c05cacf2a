// Package figure is what all comparisons share: figures with units, tables of
// them, and the instruments they are taken with.
package figure
