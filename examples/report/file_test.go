package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "r.html")
	f, err := createFile(file)
	require.NoError(t, err)
	assert.NoFileExists(t, file, "before it is whole")
	require.NoError(t, f.replace([]byte("first")))
	f.discard()
	assert.Equal(t, "first", readFile(t, file))

	// Whoever reads the old one goes on reading it.
	reader, err := os.Open(file)
	require.NoError(t, err)
	defer reader.Close()
	f, err = createFile(file)
	require.NoError(t, err)
	assert.Equal(t, "first", readFile(t, file))
	if runtime.GOOS == "windows" {
		reader.Close() // it does not replace an open file
	}
	require.NoError(t, f.replace([]byte("second, and longer")))
	assert.Equal(t, "second, and longer", readFile(t, file))
	if runtime.GOOS != "windows" {
		var text [9]byte
		n, err := reader.Read(text[:])
		require.NoError(t, err)
		assert.Equal(t, "first", string(text[:n]))
	}

	f, err = createFile(file)
	require.NoError(t, err)
	f.discard()
	assert.Equal(t, "second, and longer", readFile(t, file))
	assert.Equal(t, []string{"r.html"}, names(t, folder), "nothing else is left")

	_, err = createFile(folder)
	require.ErrorContains(t, err, "is no regular file")
}

func TestFilePermissions(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("others there")
	}
	folder := t.TempDir()
	plain := filepath.Join(folder, "plain") // as any program makes it
	require.NoError(t, os.WriteFile(plain, nil, 0o666))
	write := func(file string) {
		f, err := createFile(file)
		require.NoError(t, err)
		require.NoError(t, f.replace([]byte("new")))
	}
	mode := func(file string) os.FileMode {
		info, err := os.Lstat(file)
		require.NoError(t, err)
		return info.Mode()
	}
	fresh := filepath.Join(folder, "fresh")
	write(fresh)
	assert.Equal(t, mode(plain), mode(fresh))

	for _, perm := range []os.FileMode{0o600, 0o666, 0o640} {
		require.NoError(t, os.Chmod(fresh, perm))
		write(fresh)
		assert.Equal(t, perm, mode(fresh), "it stays")
	}

	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink("plain", link))
	write(link)
	assert.Equal(t, os.ModeSymlink, mode(link).Type(), "a link stays one")
	assert.Equal(t, "new", readFile(t, plain))
}
