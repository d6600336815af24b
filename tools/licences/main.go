// Licences lists the licence of each module that the packages of some modules
// need: of those in the first folder, and then of what the others need beyond
// that, tests included.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(dirs []string) error {
	listed := map[string]bool{}
	list := func(title string, dirs []string, args ...string) error {
		var lines []string
		for _, dir := range dirs {
			modules, err := needed(dir, args)
			if err != nil {
				return err
			}
			for path, folder := range modules {
				if listed[path] {
					continue
				}
				listed[path] = true
				licence, err := licenceOf(folder)
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				lines = append(lines, path+"  "+licence)
			}
		}
		slices.Sort(lines)
		_, err := fmt.Fprintf(os.Stdout, "%s\n\n%s\n", title, strings.Join(lines, "\n"))
		return err
	}
	if err := list("What importers get:", dirs[:1], "."); err != nil {
		return err
	}
	return list("\nWhat tests, benchmarks and examples need, too:", dirs, "-test", "./...")
}

// needed gives the modules that packages need, and where they are.
func needed(dir string, args []string) (map[string]string, error) {
	list := []string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{end}}"}
	cmd := exec.CommandContext(context.Background(), "go", append(list, args...)...) //nolint:gosec // they are main's
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w", dir, err)
	}
	modules := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, folder, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && !strings.HasPrefix(path, "github.com/seed721439b2/umami-go") {
			modules[path] = folder
		}
	}
	return modules, nil
}

// licenceOf names the licences of a module: those of the files that are called
// so or, where these only point to a folder, of the texts in it.
func licenceOf(dir string) (string, error) {
	for _, patterns := range [][]string{{"LICEN[CS]E*", "Licen[cs]e*", "licen[cs]e*", "COPYING*"}, {"licenses/*"}} {
		var ids []string
		for _, pattern := range patterns {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return "", err
			}
			for _, file := range files {
				found, err := licencesIn(file)
				if err != nil {
					return "", err
				}
				ids = append(ids, found...)
			}
		}
		if len(ids) > 0 {
			slices.Sort(ids)
			return strings.Join(slices.Compact(ids), ", "), nil
		}
	}
	return "", fmt.Errorf("no licence is known in %s", dir)
}

func licencesIn(file string) (ids []string, err error) {
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return nil, err
	}
	text, err := os.ReadFile(file) //nolint:gosec // in the module cache
	if err != nil {
		return nil, err
	}
	for _, match := range licensecheck.Scan(text).Match {
		if !match.IsURL {
			ids = append(ids, match.ID)
		}
	}
	return ids, nil
}
