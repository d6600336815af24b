package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// child is a process that answers questions: a JSON value a line.
type child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// start runs this program again, as another process.
func start(ctx context.Context, name string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startCommand(name, exec.CommandContext(ctx, self, args...))
}

func startCommand(name string, cmd *exec.Cmd) (*child, error) {
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{name, cmd, in, json.NewDecoder(out)}, nil
}

// startAll runs a process of each contender.
func startAll(ctx context.Context, names ...string) (all []*child, end func(), err error) {
	end = func() {
		for _, c := range all {
			_ = c.end()
		}
	}
	for _, name := range names {
		c, err := start(ctx, name, "contend", name)
		if err != nil {
			end()
			return nil, nil, err
		}
		all = append(all, c)
	}
	return all, end, nil
}

// startJS runs the official client, which it installs first if need be.
func startJS(ctx context.Context) (*child, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join("js", "node_modules")); err != nil {
		install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir = "js"
		if out, err := install.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	return startCommand(official, exec.CommandContext(ctx, node, filepath.Join("js", "contender.js")))
}

func (c *child) ask(question, answer any) error {
	if question != nil {
		if err := json.NewEncoder(c.in).Encode(question); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if err := c.out.Decode(answer); err != nil {
		return fmt.Errorf("%s: no answer: %w", c.name, err)
	}
	return nil
}

// end closes the standard input, at which a child ends by itself.
func (c *child) end() error {
	_ = c.in.Close()
	return c.cmd.Wait()
}
