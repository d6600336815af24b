package setting

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// SyncFolder makes a file's name last through a power cut.
func SyncFolder(file string) error {
	if runtime.GOOS == "windows" { // it cannot, and need not
		return nil
	}
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
