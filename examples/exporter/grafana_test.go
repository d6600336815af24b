package main

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the Grafana dashboard asks for is there, and it shows all there is.
func TestGrafana(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("grafana.json")
	require.NoError(t, err)
	var board struct {
		UID           string `json:"uid"`
		Title         string `json:"title"`
		SchemaVersion int    `json:"schemaVersion"`
		Panels        []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			GridPos struct {
				X int `json:"x"`
				Y int `json:"y"`
				W int `json:"w"`
				H int `json:"h"`
			} `json:"gridPos"`
			Datasource struct {
				UID string `json:"uid"`
			} `json:"datasource"`
			Targets []struct {
				Expr  string `json:"expr"`
				RefID string `json:"refId"`
			} `json:"targets"`
		} `json:"panels"`
	}
	require.NoError(t, json.Unmarshal(text, &board))
	assert.NotEmpty(t, board.UID)
	assert.NotEmpty(t, board.Title)
	assert.Positive(t, board.SchemaVersion)

	r := newRunning(9)
	r.take(diff(true, "/DE"))
	families, err := r.Gather()
	require.NoError(t, err)
	exported := make(map[string]bool)
	for _, f := range families {
		exported[f.GetName()] = true
		if f.GetType().String() == "HISTOGRAM" {
			delete(exported, f.GetName())
			exported[f.GetName()+"_bucket"] = true
		}
	}
	asked, ids, taken := make(map[string]bool), make(map[int]bool), make(map[[2]int]string)
	for _, name := range regexp.MustCompile(`\bumami_\w+`).FindAllString(string(text), -1) {
		assert.True(t, exported[name], "%s is not exported", name)
		asked[name] = true
	}
	assert.Equal(t, exported, asked)
	for _, p := range board.Panels {
		assert.False(t, ids[p.ID], "two panels %d", p.ID)
		ids[p.ID] = true
		assert.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		refs := make(map[string]bool)
		for _, target := range p.Targets {
			assert.Regexp(t, `umami_`, target.Expr, p.Title)
			assert.False(t, refs[target.RefID], p.Title)
			refs[target.RefID] = true
		}
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				assert.Empty(t, taken[at], "%s stands on another", p.Title)
				taken[at] = p.Title
			}
		}
	}
}
