//go:build !race

package diff_test

// modelDays is how long the model follows each site.
const modelDays = 30
