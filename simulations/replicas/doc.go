// Package replicas runs worlds of three to seven whole replicas.
package replicas
