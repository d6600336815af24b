package diff

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// Checkpoint is a State with what it belongs to.
type Checkpoint struct {
	Website string
	Filters string // a fingerprint
	Seq     uint64
	State   *State
}

const checkpointVersion = 1

type checkpointJSON struct {
	Version int    `json:"version"`
	Website string `json:"website"`
	Filters string `json:"filters,omitempty"`
	Seq     uint64 `json:"seq"`
	State   []byte `json:"state"`
	Sum     uint32 `json:"sum"`
}

// sum tells a checkpoint from a damaged one.
func (c *checkpointJSON) sum() uint32 {
	return crc32.ChecksumIEEE(fmt.Appendf(nil, "%d\n%s\n%s\n%d\n%s", c.Version, c.Website, c.Filters, c.Seq, c.State))
}

// MarshalJSON packs a checkpoint.
func (c Checkpoint) MarshalJSON() ([]byte, error) {
	if c.State == nil {
		return nil, errors.New("it is empty")
	}
	state, err := c.State.MarshalBinary()
	if err != nil {
		return nil, err
	}
	packed := checkpointJSON{Version: checkpointVersion, Website: c.Website, Filters: c.Filters, Seq: c.Seq, State: state}
	packed.Sum = packed.sum()
	return json.Marshal(packed)
}

// UnmarshalJSON unpacks a checkpoint. Its errors don't repeat the text.
func (c *Checkpoint) UnmarshalJSON(text []byte) error {
	var packed checkpointJSON
	err := json.Unmarshal(text, &packed)
	switch {
	case packed.Version > checkpointVersion:
		return errNewer
	case err != nil || packed.Version != checkpointVersion || packed.Sum != packed.sum():
		return errDamaged
	}
	state := new(State)
	if err := state.UnmarshalBinary(packed.State); err != nil {
		return err
	}
	*c = Checkpoint{Website: packed.Website, Filters: packed.Filters, Seq: packed.Seq, State: state}
	return nil
}
