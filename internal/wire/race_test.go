//go:build race

package wire_test

func init() {
	sweepEvery = 11 // one goroutine's arithmetic: a sample will do
	raceDetector = true
}
