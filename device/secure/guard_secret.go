//go:build goexperiment.runtimesecret

package secure

import "runtime/secret"

// erasing says whether guarded wipes what it leaves behind.
const erasing = true

// guarded runs what handles key bytes or a PIN. The runtime erases the registers and the stack that it used before it
// returns, and its allocations, cipher schedules among them, when they are collected.
func guarded(f func()) { secret.Do(f) }
