package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	umami "github.com/seed721439b2/umami-go"
	"github.com/seed721439b2/umami-go/examples/fanout/lease"
)

// errTakenOver says that somebody with a later lease has opened the feed.
var errTakenOver = errors.New("another replica has taken over")

// feed is a website's place in the stream, for the one replica that may write
// there: the one that opened it last. A lease alone cannot see to that, because
// a replica may sleep at any point, and wake up when its lease is long over.
type feed struct {
	*hub
	website  string
	fence    uint64          // our fence's sequence in the stream
	revision uint64          // of the place
	repeats  map[string]bool // message ids that the place does not know of
	place
}

// place is how far a website's holders have come.
type place struct {
	Checkpoint *umami.Checkpoint `json:"checkpoint,omitempty"` // nil before the first
	Sequence   uint64            `json:"sequence,omitempty"`   // of the last visit in the stream by then
}

// open shuts out the holder before, and finds out how far it came.
func (h *hub) open(ctx context.Context, l lease.Lease) (*feed, error) {
	f := &feed{hub: h, website: l.Name}
	if err := f.putFence(ctx, l.Token); err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	if err := f.claim(ctx); err != nil {
		return nil, fmt.Errorf("place: %w", err)
	}
	if err := f.readOn(ctx); err != nil {
		return nil, fmt.Errorf("read on: %w", err)
	}
	return f, nil
}

// putFence publishes a fence: each visit is published on the condition that its
// holder's fence is still the last one, so that from now on those of earlier
// holders are refused. A holder who is late finds a later token, or its fence is
// refused and it looks again.
func (f *feed) putFence(ctx context.Context, token uint64) error {
	for {
		last, err := f.stream.GetLastMsgForSubject(ctx, fenceOf+f.website)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			last, err = &jetstream.RawStreamMsg{Data: []byte("0")}, nil
		}
		if err != nil {
			return err
		}
		switch newest, err := strconv.ParseUint(string(last.Data), 10, 64); {
		case err != nil:
			return err
		case newest > token:
			return errTakenOver
		}
		msg := nats.NewMsg(fenceOf + f.website)
		msg.Data = strconv.AppendUint(nil, token, 10)
		msg.Header.Set(jetstream.MsgTTLHeader, "never")
		msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject) // the earlier ones go
		ack, err := f.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(last.Sequence))
		if err == nil {
			f.fence = ack.Sequence
			return nil
		}
		if !outrun(err) {
			return err
		}
	}
}

// outrun says whether the server refused a message because another came first.
func outrun(err error) bool {
	e, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// claim reads the place and writes it back as it is, so that what an earlier
// holder is about to write there will be refused.
func (f *feed) claim(ctx context.Context) error {
	for {
		text, revision := []byte("{}"), uint64(0)
		switch e, err := f.places.Get(ctx, f.website); {
		case err == nil:
			text, revision = e.Value(), e.Revision()
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return err
		}
		f.place = place{}
		if err := json.Unmarshal(text, &f.place); err != nil {
			return err
		}
		var err error
		if f.revision, err = f.places.Update(ctx, f.website, text, revision); !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return err
		}
	}
}

// readOn finds the visits that were published after the place was written: the
// poller will bring them again. The stream itself would drop them, but no longer
// than its window of duplicates; this holds as long as the stream keeps them.
func (f *feed) readOn(ctx context.Context) error {
	f.repeats = make(map[string]bool)
	for next := f.Sequence + 1; ; {
		msg, err := f.stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(visitsOf+f.website))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		f.repeats[msg.Header.Get(jetstream.MsgIDHeader)] = true
		next = msg.Sequence + 1
	}
}

// publish puts a visit into the stream, once for its key, however often it is
// called and by whomever.
func (f *feed) publish(ctx context.Context, key string, body []byte) error {
	id := f.website + "." + key
	if f.repeats[id] {
		return nil
	}
	ack, err := f.js.Publish(ctx, visitsOf+f.website, body,
		jetstream.WithMsgID(id), jetstream.WithExpectLastSequenceForSubject(f.fence, fenceOf+f.website))
	if outrun(err) {
		return errTakenOver
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	f.Sequence = max(f.Sequence, ack.Sequence)
	return nil
}

// save keeps that everything up to the checkpoint is published.
func (f *feed) save(ctx context.Context, c umami.Checkpoint) error {
	f.Checkpoint = &c
	text, err := json.Marshal(f.place)
	if err != nil {
		return err
	}
	revision, err := f.places.Update(ctx, f.website, text, f.revision)
	switch {
	case errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return errTakenOver
	case err != nil:
		return fmt.Errorf("save the place: %w", err)
	}
	f.revision = revision
	return nil
}
