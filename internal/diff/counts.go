package diff

import (
	"maps"
	"slices"
)

// Changed gives the change of each count, zeros left out.
func Changed(before, after map[string]int) map[string]int {
	delta := make(map[string]int)
	for k, n := range after {
		if n != before[k] {
			delta[k] = n - before[k]
		}
	}
	for k, n := range before {
		if _, ok := after[k]; !ok && n != 0 {
			delta[k] = -n
		}
	}
	return delta
}

// Added adds two changes, zeros left out.
func Added(a, b map[string]int) map[string]int {
	sum := maps.Clone(a)
	for k, n := range b {
		if sum[k] += n; sum[k] == 0 {
			delete(sum, k)
		}
	}
	return sum
}

// Net leaves out what is in both lists: a session that started and then ended,
// or ended and then started, did neither.
func Net[T any](first, then []T, id func(T) string) (firstLeft, thenLeft []T) {
	in := make(map[string]int, len(first))
	for _, t := range first {
		in[id(t)] |= 1
	}
	for _, t := range then {
		in[id(t)] |= 2
	}
	both := func(t T) bool { return in[id(t)] == 3 }
	return slices.DeleteFunc(slices.Clone(first), both), slices.DeleteFunc(slices.Clone(then), both)
}
