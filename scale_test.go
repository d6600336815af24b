//go:build !race

package umami_test

// modelHours is how long the model follows each site.
const modelHours = 24

// busyMinutes is how long a site is busy.
const busyMinutes = 10
