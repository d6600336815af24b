package umami_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go"
)

// Whoever sends credentials in the open is told once for each client, before
// anything is sent.
func TestPlainHTTPIsWarnedOf(t *testing.T) {
	t.Parallel()
	for base, warned := range map[string]bool{
		"http://stats.example.com":        true,
		"HTTP://stats.example.com:3000":   true,
		"http://203.0.113.7":              true,
		"http://[2001:db8::7]":            true,
		"http://100.64.0.1":               true, // shared by a provider's customers
		"http://172.32.0.1":               true,
		"http://[::ffff:203.0.113.7]":     true,
		"http://localhost.example.com":    true,
		"http://10.0.0.1.example.com":     true,
		"http://2130706433.":              false, // a name without a dot is the network's own
		"http://umami.lan":                true,
		"http://example.internal.com":     true,
		"https://stats.example.com":       false,
		"https://203.0.113.7":             false,
		"http://localhost:3000":           false,
		"http://LOCALHOST.":               false,
		"http://umami.localhost":          false,
		"http://umami.local":              false,
		"http://umami.default.internal":   false,
		"http://umami":                    false,
		"http://127.0.0.1:3000":           false,
		"http://127.8.9.10":               false,
		"http://0.0.0.0:3000":             false,
		"http://10.1.2.3":                 false,
		"http://172.31.255.255":           false,
		"http://192.168.1.1":              false,
		"http://169.254.1.1":              false,
		"http://[::1]:3000":               false,
		"http://[fd00::1]":                false,
		"http://[fe80::1%25eth0]":         false,
		"http://[::ffff:192.168.1.1]/api": false,
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			for _, auth := range auths() {
				var logged bytes.Buffer
				logger := slog.New(slog.NewTextHandler(&logged, nil))
				// WithLogger counts wherever it stands.
				for _, opts := range [][]umami.Option{{umami.WithLogger(logger), noRetry}, {noRetry, umami.WithLogger(logger)}} {
					logged.Reset()
					c, err := umami.NewClient(base, auth, opts...)
					require.NoError(t, err)
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					for range 3 { // which are not sent
						_, err = c.GetRealtime(ctx, site, nil)
						require.ErrorIs(t, err, context.Canceled)
					}
					assert.Equal(t, warned, strings.Contains(logged.String(), "level=WARN"))
					assert.Equal(t, warned, strings.Contains(logged.String(), "plain http"))
					assert.LessOrEqual(t, strings.Count(logged.String(), "\n"), 1)
					assertNoSecret(t, logged.String(), "log")
				}
			}
		})
	}
}
