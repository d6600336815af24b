package umami_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What stands around the blocks that are no whole programs.
const readmeFrame = `package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/umamitest"
)

func _(
	ctx context.Context, client *umami.Client, websiteID string, diff umami.Diff, rt *umami.Realtime, from, to time.Time,
	fetch func(context.Context) (string, error), traced func(http.RoundTripper, any, any) http.RoundTripper, tracerProvider, meterProvider any,
) error {
	{
%s
	}
	return nil
}
`

// Each block of Go in a README compiles, but for what it leaves unused.
func TestReadmesCompile(t *testing.T) {
	t.Parallel()
	imports := newImports(t)
	readmes, err := filepath.Glob("examples/*/README.md")
	require.NoError(t, err)
	blocks := 0
	for _, path := range append(readmes, "README.md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			blocks++
			source := strings.ReplaceAll(block[1], "{ … }", "{}")
			if !strings.HasPrefix(source, "package ") {
				source = fmt.Sprintf(readmeFrame, source)
			}
			set := gotoken.NewFileSet()
			file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
			require.NoError(t, err, source)
			config := types.Config{Importer: imports, Error: func(err error) {
				if e, ok := errors.AsType[types.Error](err); !ok || !e.Soft && !strings.HasSuffix(e.Msg, "is not used") {
					assert.NoError(t, err, source)
				}
			}}
			_, _ = config.Check("main", set, []*ast.File{file}, nil) // told by Error
		}
	}
	assert.Greater(t, blocks, 5)
}

// newImports reads what the go command has compiled of this module and of what
// it needs.
func newImports(t *testing.T) types.Importer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export", ".", "./umamitest", "./examples/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	exported := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p struct {
			Path   string `json:"ImportPath"`
			Export string `json:"Export"`
		}
		require.NoError(t, decoder.Decode(&p))
		exported[p.Path] = p.Export
	}
	return importer.ForCompiler(gotoken.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exported[path]) })
}
