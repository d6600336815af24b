package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

func TestRecordedWebsites(t *testing.T) {
	t.Parallel()
	sites, count, err := wire.DecodeWebsites(recordedListing(t, "v3.1.0-postgres/websites.http"))
	require.NoError(t, err)
	assert.Equal(t, 10, count)
	require.Len(t, sites, 10)
	want := wire.Website{
		ID: "0fd211ef-6f1f-41f4-8e6e-f2f0570bfbd1", Name: "lab main", Domain: "main.example.com",
		UserID: "41e2b680-648e-4b09-bcd7-3e2b10c06264", CreatedAt: time.Date(2026, 11, 22, 8, 49, 51, 395e6, time.UTC),
	}
	assert.Equal(t, want, sites[1])

	site, err := wire.DecodeWebsite(recordedListing(t, "v3.1.0-postgres/website-get.http"))
	require.NoError(t, err)
	assert.Equal(t, &want, site)
	site, err = wire.DecodeWebsite(recordedListing(t, "v3.1.0-postgres/website-get-unknown.http"))
	require.NoError(t, err)
	assert.Nil(t, site)
}

func TestWebsiteLists(t *testing.T) {
	t.Parallel()
	const site = `{"id":"a","name":null,"resetAt":"2024-01-02T03:04:05.678Z","teamId":"t","user":{"id":"u"}}`
	want := []wire.Website{{ID: "a", TeamID: "t", ResetAt: time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC)}}
	for body, counted := range map[string]int{
		`[` + site + `]`:                              1,
		`{"data":[` + site + `],"count":7}`:           7,
		`{"count":"7","data":[` + site + `]}`:         7,
		`{"data":[` + site + `]}`:                     0,
		`{"data":[{"id":"x"}],"data":[` + site + `]}`: 0, // as for all names, the last counts
	} {
		sites, count, err := wire.DecodeWebsites([]byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, want, sites, body)
		assert.Equal(t, counted, count, body)
	}
	for _, body := range []string{`[]`, `{"data":[],"count":0}`} {
		sites, count, err := wire.DecodeWebsites([]byte(body))
		require.NoError(t, err, body)
		assert.Empty(t, sites)
		assert.Zero(t, count)
	}
	for body, field := range map[string]string{
		``: "", `null`: "", `{}`: "", `{"data":null}`: "", `{"data":[]}]`: "", `"text"`: "", `[{"name":"no id"}]`: "/0",
		`{"data":[{"id":"a"},{"id":7}]}`: "/data/1/id", `{"data":[{"id":"a","createdAt":"soon"}]}`: "/data/0/createdAt", `[null]`: "/0",
	} {
		sites, _, err := wire.DecodeWebsites([]byte(body))
		var at *wire.Error
		require.ErrorAs(t, err, &at, body)
		assert.Equal(t, field, at.Field, body)
		assert.Nil(t, sites, body)
	}
	for _, body := range []string{``, `[]`, `{}`, `{"id":""}`, `null null`, `{"id":"a"}x`, `{"error":"Unauthorized"}`} {
		site, err := wire.DecodeWebsite([]byte(body))
		var at *wire.Error
		require.ErrorAs(t, err, &at, body)
		assert.Nil(t, site, body)
	}
}

func TestActive(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`[{"x":3}]`: 3, `{"x":3}`: 3, `{"visitors":3}`: 3, `[{"x":"3"}]`: 3, `{"x":"3"}`: 3, `{"visitors":"3"}`: 3,
		`{"visitors":0}`: 0, `{"new":[1],"visitors":14}`: 14,
	} {
		n, err := wire.DecodeActive([]byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, want, n, body)
	}
	for _, body := range []string{
		``, `[]`, `{}`, `3`, `null`, `{"x":null}`, `{"x":-1}`, `{"x":1.5}`, `{"visitors":"many"}`, `{"visitors":3}}`, `[{"x":3}`, `<html>`,
	} {
		n, err := wire.DecodeActive([]byte(body))
		var at *wire.Error
		require.ErrorAs(t, err, &at, body)
		assert.Zero(t, n, body)
	}
	for _, file := range []string{"v3.1.0-postgres/website-active.http", "v3.1.0-clickhouse/website-active.http", "v3.1.0-postgres/website-active-empty.http"} {
		n, err := wire.DecodeActive(recordedListing(t, file))
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"v3.1.0-postgres/website-active.http": 14, "v3.1.0-clickhouse/website-active.http": 13}[file], n)
	}
}
