package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/umamitest"
)

// Anybody can visit a path that would act on a terminal.
func TestHostilePathsAreHarmless(t *testing.T) {
	server := umamitest.NewServer(umamitest.WithProfile(umamitest.Cloud))
	t.Cleanup(server.Close)
	server.Visit(umamitest.Visit{URLPath: "/a\x1b[31m\x1b]0;title\a\u009b2J\r\n\u202e\u2066\u200b\u2028\ufeff", Country: "\x1b["})
	t.Setenv("UMAMI_URL", server.URL)
	t.Setenv("UMAMI_WEBSITE_ID", server.WebsiteID)
	t.Setenv("UMAMI_API_KEY", umamitest.APIKey)

	stdout := os.Stdout
	t.Cleanup(func() { os.Stdout = stdout })
	r, w, err := os.Pipe()
	require.NoError(t, err)
	os.Stdout = w
	main()
	require.NoError(t, w.Close())
	printed, err := io.ReadAll(r)
	require.NoError(t, err)
	lines := strings.Split(string(printed), "\n")
	require.Len(t, lines, 3)
	assert.Equal(t, "1 visitors and 1 page views in the last 30 minutes", lines[0])
	assert.Contains(t, lines[1], `/a\x1b[31m`)
	assert.False(t, strings.ContainsFunc(lines[1], func(r rune) bool { return !unicode.IsGraphic(r) }), "%q", lines[1])
}
