package setting_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\x1b[31mb":                      "a\uFFFD[31mb",
		"abc\r\ndef\u202e":                "abc\uFFFD\uFFFDdef\uFFFD",
		"\u009b31m \u2066\u200f \u200b":   "\uFFFD31m \uFFFD\uFFFD \uFFFD",
		"\xff":                            "\uFFFD",
		"❤\ufe0f":                         "❤",
		"a" + strings.Repeat("\u0300", 9): "a\u0300\u0300\u0300",
		"/日本語/é?q=1#ü":                    "/日本語/é?q=1#ü",
		"e\u0301 c\u0327\u0301 क्षत्रिय": "e\u0301 c\u0327\u0301 क्षत्रिय",
	} {
		assert.Equal(t, want, setting.Clean(text), "%q", text)
	}
	assert.Equal(t, "bad \uFFFD[31m gateway", setting.OneLine(errors.New("bad\r\n\x1b[31m  gateway")))
}

func TestEachTroubleIsToldOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	trouble := setting.NewTrouble("watch", &out)
	failed := func(text string, next time.Duration) {
		trouble.Failed(&umami.PollError{Err: errors.New(text), Next: next})
	}
	trouble.Over()
	failed("down", time.Second)
	failed("down", 2*time.Second)
	failed("still\ndown", time.Second)
	trouble.Over()
	trouble.Over()
	failed("down", time.Second)
	failed("the end", 0)
	assert.Equal(t, []string{
		"watch: down; trying again", "watch: still down; trying again", "watch: the server answers again",
		"watch: down; trying again", "",
	}, strings.Split(out.String(), "\n"))
}
