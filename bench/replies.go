package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// reply is what the server answers.
type reply struct {
	rows           int
	plain, gzipped []byte
}

// readReplies reads what an idle, a slow and a busy site are answered.
func readReplies() ([]reply, error) {
	recordings := filepath.Join("..", "testdata", "recordings", "v3.1.0-postgres")
	idle, err := os.ReadFile(filepath.Join(recordings, "realtime-empty.http"))
	if err != nil {
		return nil, err
	}
	_, idle, _ = bytes.Cut(idle, []byte("\r\n\r\n"))
	slow, err := snapshot(filepath.Join(recordings, "long-slow", "snapshots.jsonl.gz"), 6)
	if err != nil {
		return nil, err
	}
	busy, err := os.ReadFile(filepath.Join("..", "internal", "wire", "testdata", "200-rows.json"))
	if err != nil {
		return nil, err
	}
	var replies []reply
	for _, body := range [][]byte{idle, slow, busy} {
		body = bytes.TrimSpace(body)
		var read byHand
		if err := json.Unmarshal(body, &read); err != nil {
			return nil, err
		}
		var gzipped bytes.Buffer
		w := gzip.NewWriter(&gzipped)
		if _, err := w.Write(body); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		replies = append(replies, reply{len(read.Events), body, gzipped.Bytes()})
	}
	return replies, nil
}

// snapshot reads line n of a recording.
func snapshot(file string, n int) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for range n + 1 {
		if !lines.Scan() {
			return nil, fmt.Errorf("%s has no line %d: %w", file, n, lines.Err())
		}
	}
	return bytes.Clone(lines.Bytes()), nil
}
