package wire_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed721439b2/umami-go/internal/wire"
)

// refuse decodes what must be refused.
func refuse(t *testing.T, body string) *wire.Error {
	t.Helper()
	r, err := wire.Decode([]byte(body), time.UTC)
	if len(body) > 300 {
		body = body[:300] + "…"
	}
	require.Error(t, err, body)
	assert.Nil(t, r, body)
	var at *wire.Error
	require.ErrorAs(t, err, &at, body)
	require.Error(t, at.Err, body)
	return at
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, ` `, "\n", `null`, `true`, `7`, `"text"`, `[]`, `[{"events":[],"timestamp":1}]`, `{}`, `{`, `}`, "\x00",
		`401 Unauthorized`, `<!DOCTYPE html><html><body>Bad gateway</body></html>`, "\ufeff" + `{"events":[],"timestamp":1}`,
		`{"error":"Unauthorized"}`, `{"error":{"message":"Unauthorized","code":"unauthorized","status":401}}`,
		`{"data":[],"count":0,"page":1,"pageSize":20}`, `{"websites":[],"token":"t","data":{}}`, // other endpoints'
		`{"timestamp":1}`, `{"sessions":[],"timestamp":1}`, `{"events":[]}`, `{"events":[],"timestamp":null}`,
		`{"pageviews":[],"truncated":true}`, `{"events":[],"timestamp":"0000-00-00T00:00:00Z"}`,
		`{"events":[],"timestamp":1,}`, `{"events":[{"sessionId":"a",}],"timestamp":1}`, `{'events':[],'timestamp':1}`,
		`{events:[],timestamp:1}`, `{"events":[],"timestamp":01}`, `{"events":[],"timestamp":NaN}`, `{"events":[]"timestamp":1}`,
		`{"events":[] // none
,"timestamp":1}`,
		"{\"events\":[{\"urlPath\":\"a\nb\"}],\"timestamp\":1}", `{"events":[{"urlPath":"\x"}],"timestamp":1}`,
	} {
		refuse(t, body)
	}
}

func TestMoreAfterTheReply(t *testing.T) {
	t.Parallel()
	const reply = `{"events":[],"timestamp":1}`
	for _, more := range []string{`x`, `}`, `]`, `,`, `{}`, `null`, `1`, `"x"`, reply, "\x00", "<html>"} {
		at := refuse(t, reply+more)
		assert.EqualValues(t, len(reply), at.Offset, more)
		assert.Empty(t, at.Field)
		require.ErrorContains(t, at, "more text after the reply")
		refuse(t, reply+"\n"+more)
	}
}

// What is wrong, where: the JSON pointer and the first byte of the value.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, field, problem string }{
		{`{"events":§5,"timestamp":1}`, "/events", "a number where an array should be"},
		{`{ "timestamp" : 1 , "events" : §{} }`, "/events", "an object where an array should be"},
		{`{"pageviews":§"none","timestamp":1}`, "/pageviews", "a string where an array should be"},
		{`{"sessions":§true,"events":[],"timestamp":1}`, "/sessions", "a boolean where an array should be"},
		{`{"events":[{},null,§"row"],"timestamp":1}`, "/events/2", "a string where an object should be"},
		{`{"events":[{"urlPath":  §5}],"timestamp":1}`, "/events/0/urlPath", "a number where a string should be"},
		{`{"events":[{"a":1,"sessionId":§{"x":1}}],"timestamp":1}`, "/events/0/sessionId", "an object where a string should be"},
		{`{"events":[{"createdAt":§"soon"}],"timestamp":1}`, "/events/0/createdAt", "not a time"},
		{`{"events":[{"createdAt": §"12026-01-01T00:00:00Z"}],"timestamp":1}`, "/events/0/createdAt", "not a time"},
		{`{"events":[{"createdAt":§false}],"timestamp":1}`, "/events/0/createdAt", "a boolean where a time should be"},
		{`{"events":[],"timestamp":§"soon"}`, "/timestamp", "not a time"},
		{`{"events":[],"timestamp":§[]}`, "/timestamp", "an array where a time should be"},
		{`{"events":[],"urls":§[],"timestamp":1}`, "/urls", "an array where an object should be"},
		{`{"events":[],"referrers":§"x","timestamp":1}`, "/referrers", "a string where an object should be"},
		{`{"events":[],"countries":§7,"timestamp":1}`, "/countries", "a number where an object should be"},
		{`{"events":[],"series":{"views":§{}},"timestamp":1}`, "/series/views", "an object where an array should be"},
		{`{"events":[],"series":{"views":[],"visitors":[{"y":1},§1]},"timestamp":1}`, "/series/visitors/1", "a number where an object should be"},
		{`{"events":[],"series":{"views":[{"x":§"soon","y":1}]},"timestamp":1}`, "/series/views/0/x", "not a time"},
		{`{"events":[],"a/b~c":{"views":[],"x":§nul}}`, "/a~1b~0c/x", "invalid character '}' in literal null"},
		{`§[]`, "", "an array where an object should be"},
		{` §null`, "", "null where an object should be"},
		{`§{"error":"Unauthorized"}`, "", "not a realtime reply"},
		{`§<html>`, "", "invalid character '<'"},
	} {
		at := refuse(t, strings.Replace(tt.body, "§", "", 1))
		assert.Equal(t, tt.field, at.Field, tt.body)
		require.ErrorContains(t, at.Err, tt.problem, tt.body)
		if !strings.HasPrefix(tt.problem, "invalid character '}'") { // there the byte is the literal's bad one
			assert.EqualValues(t, strings.Index(tt.body, "§"), at.Offset, tt.body)
		}
		want := fmt.Sprintf("%v (byte %d)", at.Err, at.Offset)
		if at.Field != "" {
			want = at.Field + ": " + want
		}
		require.EqualError(t, at, want)
		require.ErrorIs(t, at, at.Err)
	}
}

// An error is short and shows nothing of the reply's texts, which are other
// people's; long pointers are cut.
func TestErrorsAreShort(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"events":[{"createdAt":"` + strings.Repeat("secret", 10_000) + `"}],"timestamp":1}`,
		`{"events":[],"` + strings.Repeat("ü", 100_000) + `":nul}`,
		`{"events":[],"a":` + strings.Repeat(`[`, 100_000),
		`{"events":[],"a":` + strings.Repeat(`{"a":`, 100_000),
		strings.Repeat(`[`, 100_000),
		strings.Repeat(`{"events":`, 100_000),
	} {
		at := refuse(t, body)
		assert.Less(t, len(at.Error()), 400)
		assert.NotContains(t, at.Error(), "secret")
		assert.True(t, utf8.ValidString(at.Field))
	}
}

// A reply that breaks off anywhere is refused, and a byte changed to something
// else does no more than that.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"v2.10.2/realtime-empty.json", "v2.12.1/realtime-empty.json", "v2.20.2/realtime-empty.json",
		"v3.1.0-postgres/after-backdated.json", "v3.1.0-postgres/hostile-referrers.json",
		"v2.10.2/realtime-slow.json", "v2.12.1/realtime-busy.json", // long: only their first and last parts
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", filepath.FromSlash(file)))
			require.NoError(t, err)
			body = bytes.TrimSpace(body)
			_, err = wire.Decode(body, time.UTC)
			require.NoError(t, err)
			const part = 4000
			for i := range body {
				if i > part && i < len(body)-part/40 {
					continue
				}
				at := refuse(t, string(body[:i]))
				require.LessOrEqual(t, at.Offset, int64(i), "cut at %d", i)

				if len(body) <= part {
					changed := bytes.Clone(body)
					changed[i] ^= 1
					if _, err := wire.Decode(changed, time.UTC); err != nil {
						require.ErrorAs(t, err, new(*wire.Error))
					}
				}
			}
		})
	}
}
