//go:build race

package main

// raced says that the race detector is on, which makes a simulated seed ten times as long.
const raced = true
