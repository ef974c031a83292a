// Package nac is the dialect of terminals behind a network access controller.
package nac
