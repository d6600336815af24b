package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

// newFile takes the place of another as a whole: whoever reads that one sees
// the old text or the new one, and after a power cut, too.
type newFile struct {
	*os.File
	name string // the file to replace
}

// createFile makes an empty file beside the one to replace. A new one may be
// read by whom the umask lets; an old one's permissions stay.
func createFile(name string) (*newFile, error) {
	if to, err := filepath.EvalSymlinks(name); err == nil { // else the link would be replaced
		name = to
	}
	mode := fs.FileMode(0o666)
	old, err := os.Stat(name)
	if err == nil {
		if !old.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no regular file", name)
		}
		mode = old.Mode().Perm()
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()+".tmp")
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", name, errors.Unwrap(err)) // without temp
	}
	f := &newFile{file, name}
	if old != nil {
		if err := file.Chmod(mode); err != nil { // past the umask
			f.discard()
			return nil, err
		}
	}
	return f, nil
}

// replace writes the text and lets the file take its place.
func (f *newFile) replace(text []byte) error {
	_, err := f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.name); err != nil {
		return err
	}
	return setting.SyncFolder(f.name)
}

// discard removes what has not taken its place.
func (f *newFile) discard() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
