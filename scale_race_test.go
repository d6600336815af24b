//go:build race

package umami_test

// modelHours is how long the model follows each site; the race detector makes
// it slow.
const modelHours = 3

// busyMinutes is how long a site is busy.
const busyMinutes = 2
