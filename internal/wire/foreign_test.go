package wire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// A row of a type that is not known may have any columns: it must not cost the
// caller the reply.
func TestForeignRowsHarmNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []string{
		`{"__type":"heatmap","browser":{"name":"x"}}`,
		`{"__type":"heatmap","createdAt":"x"}`,
		`{"createdAt":[1],"urlPath":["/a"],"__type":"heatmap"}`,
		`{"__type":"revenue","eventName":12}`,
		`{"__type":7}`,
	} {
		r, err := wire.Decode([]byte(`{"events":[`+row+`,{"__type":"pageview","sessionId":"s","createdAt":"2026-11-22T09:00:00Z"}],"timestamp":1795338000000}`), time.UTC)
		require.NoError(t, err, row)
		assert.Len(t, r.Pageviews, 1)
		assert.Empty(t, r.Events)
	}
	_, err := wire.Decode([]byte(`{"events":[{"createdAt":"x","__type":"pageview"}],"timestamp":1795338000000}`), time.UTC)
	var wrong *wire.Error
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "/events/0/createdAt", wrong.Field)
}
