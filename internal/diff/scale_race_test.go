//go:build race

package diff_test

// modelDays is how long the model follows each site; the race detector makes it
// slow.
const modelDays = 2
