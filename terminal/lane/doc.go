// Package lane runs sales: one loop that acts as terminal's tables say, one owner for each acquirer's link, and
// recovery after a power cut. It decides nothing that the tables decide, and nothing it shows is not on disk.
package lane
