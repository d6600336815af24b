package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/internal/setting"
)

var errInUse = errors.New("another watch is using it")

// stateVersion is the first thing in a checkpoint file.
const stateVersion = 1

// state is what a checkpoint file holds.
type state struct {
	Version    int               `json:"watch"`
	Output     string            `json:"output,omitempty"`     // the output's name without its folder; "" for the standard output
	Length     int64             `json:"length,omitempty"`     // of the output
	Checkpoint *umami.Checkpoint `json:"checkpoint,omitempty"` // nil until a diff was written
}

// journal is where lines go, with the checkpoint of what was written.
//
// The checkpoint file is replaced as a whole once the output is on the disk,
// and holds the output's length at that point. Where the program is killed in
// between, the output is longer than that; the next start cuts it back and
// writes those lines again.
type journal struct {
	output, checkpoint string // files; "" for the standard output, and for none

	state state // as the checkpoint file has it
	out   io.Writer
	file  *os.File // the output, if it is a file
	locks []*os.File
}

// openJournal finds out where to go on. It changes neither of the files.
func openJournal(output, checkpoint string, stdout io.Writer) (*journal, error) {
	j := &journal{output: output, checkpoint: checkpoint, out: stdout, state: state{Version: stateVersion}}
	if output != "" {
		j.state.Output = filepath.Base(output)
	}
	if err := j.open(); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

func (j *journal) open() error {
	if j.output != "" && filepath.Clean(j.output) == filepath.Clean(j.checkpoint) {
		return errors.New("-o and -checkpoint must be two files")
	}
	for _, file := range []string{j.output, j.checkpoint} {
		if file == "" {
			continue
		}
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file", file)
		}
		held, err := lock(file + ".lock")
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		j.locks = append(j.locks, held)
	}
	found, err := j.readState()
	if err != nil || j.output == "" {
		return err
	}
	info, err := os.Stat(j.output)
	switch {
	case errors.Is(err, fs.ErrNotExist) && j.state.Length == 0:
		return nil
	case err != nil:
		return err
	case !found && info.Size() > 0:
		return fmt.Errorf("%s is not empty, and there is no checkpoint that belongs to it", j.output)
	case !endsLine(j.output, j.state.Length):
		return fmt.Errorf("%s does not belong to %s, by which a line ends after %d bytes", j.output, j.checkpoint, j.state.Length)
	}
	return nil
}

// endsLine says whether a file has a line that ends after so many bytes.
func endsLine(name string, length int64) bool {
	if length == 0 {
		return true
	}
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	var last [1]byte
	_, err = file.ReadAt(last[:], length-1)
	return err == nil && last[0] == '\n'
}

// readState reads the checkpoint file if there is one.
func (j *journal) readState() (found bool, err error) {
	if j.checkpoint == "" {
		return false, nil
	}
	text, err := os.ReadFile(j.checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var s state
	switch err := json.Unmarshal(text, &s); {
	case err != nil:
		return false, fmt.Errorf("%s is no checkpoint of watch, or damaged: %w", j.checkpoint, err)
	case s.Version > stateVersion:
		return false, fmt.Errorf("%s was written by a newer watch", j.checkpoint)
	case s.Version != stateVersion, s.Length < 0, s.Checkpoint == nil && s.Length > 0:
		return false, fmt.Errorf("%s is no checkpoint of watch, or damaged", j.checkpoint)
	case s.Output != j.state.Output:
		const standard = "the standard output"
		return false, fmt.Errorf("%s belongs to %s, not to %s", j.checkpoint, cmp.Or(s.Output, standard), cmp.Or(j.state.Output, standard))
	}
	j.state = s
	return true, nil
}

// begin cuts the output back to what the checkpoint is of.
func (j *journal) begin() error {
	if j.output != "" {
		var err error
		if j.file, err = os.OpenFile(j.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(j.output, j.state.Length); err != nil {
			return err
		}
		if err := setting.SyncFolder(j.output); err != nil {
			return err
		}
		j.out = j.file
	}
	// A first checkpoint, of nothing: whatever is written from now on can be
	// cut back. That it cannot be kept is better known now than later.
	return j.save()
}

// write writes the lines of a diff, and then that it was done.
func (j *journal) write(text []byte, checkpoint umami.Checkpoint) error {
	if _, err := j.out.Write(text); err != nil {
		return err
	}
	j.state.Checkpoint = &checkpoint
	return j.save()
}

// save replaces the checkpoint file.
func (j *journal) save() error {
	if j.checkpoint == "" {
		return nil
	}
	if j.file != nil {
		if err := j.file.Sync(); err != nil {
			return err
		}
		info, err := j.file.Stat()
		if err != nil {
			return err
		}
		j.state.Length = info.Size()
	}
	text, err := json.Marshal(j.state)
	if err != nil {
		return err
	}
	next, err := os.OpenFile(j.checkpoint+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = next.Write(append(text, '\n'))
	if err := errors.Join(err, next.Sync(), next.Close()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), j.checkpoint); err != nil {
		return err
	}
	return setting.SyncFolder(j.checkpoint)
}

// close lets go of the files.
func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
	}
	for _, l := range j.locks {
		unlock(l)
	}
}
