// Package modelseed chooses the seeds of the model tests.
package modelseed

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Run runs a model test with a seed that is another in each run. MODEL_SEEDS=20
// runs it with as many, and MODEL_SEED=n with that one alone, as the name of a
// test that failed tells it.
func Run(t *testing.T, test func(t *testing.T, seed uint64)) {
	t.Helper()
	seeds := make([]uint64, max(1, number(t, "MODEL_SEEDS")))
	for i := range seeds {
		seeds[i] = 1 + rand.Uint64N(999_999) //nolint:gosec // any will do
	}
	if seed := number(t, "MODEL_SEED"); seed > 0 {
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("MODEL_SEED=%d", seed), func(t *testing.T) {
			t.Parallel()
			test(t, seed)
		})
	}
}

// number is that of an environment variable, 0 where there is none.
func number(t *testing.T, name string) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
