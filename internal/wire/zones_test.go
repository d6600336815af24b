package wire_test

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zoneAt is a zone at an instant at which it has the offset.
type zoneAt struct {
	zone   *time.Location
	now    time.Time
	offset time.Duration
}

// offsetsInUse gives one zone for each offset from UTC that any zone of Go's
// own list has in January or in July of 2026.
func offsetsInUse(t *testing.T) []zoneAt {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	names, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, names.Close()) })

	var all []zoneAt
	seen := map[time.Duration]bool{}
	for _, now := range []time.Time{
		time.Date(2026, time.January, 15, 10, 17, 30, 400e6, time.UTC),
		time.Date(2026, time.July, 15, 10, 17, 0, 200e6, time.UTC), // the minute has just turned
	} {
		for _, f := range names.File {
			if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
				continue
			}
			zone := loadZone(t, f.Name)
			_, seconds := now.In(zone).Zone()
			offset := time.Duration(seconds) * time.Second
			if !seen[offset] {
				seen[offset] = true
				all = append(all, zoneAt{zone, now, offset})
			}
		}
	}
	return all
}

func loadZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	return zone
}
