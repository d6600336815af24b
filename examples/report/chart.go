package main

import (
	"fmt"
	"time"

	"github.com/go-analyze/charts"
)

// spans are equally long parts of a report, each with the sums of its minutes.
type spans []Minute

// grouped makes at most n spans of a round number of minutes.
func grouped(minutes []Minute, n int) spans {
	for _, length := range []time.Duration{1, 2, 5, 10, 15, 30, 60} {
		length *= time.Minute
		var all spans
		for _, m := range minutes {
			at := m.Time.Truncate(length)
			if len(all) == 0 || !all[len(all)-1].Time.Equal(at) {
				all = append(all, Minute{Time: at})
			}
			last := &all[len(all)-1]
			last.Pageviews += m.Pageviews
			last.Events += m.Events
		}
		if len(all) <= n || length == time.Hour {
			return all
		}
	}
	return nil // never
}

// each says how long a span is.
func (s spans) each() string {
	if len(s) < 2 || s[1].Time.Sub(s[0].Time) == time.Minute {
		return "minute"
	}
	return fmt.Sprintf("%d minutes", int(s[1].Time.Sub(s[0].Time).Minutes()))
}

// theme is the chart's share of style.css.
func theme(dark bool) charts.ThemeOption {
	text, line, views, events := "#57606a", "#d0d7de", "#0969da", "#8250df"
	if dark {
		text, line, views, events = "#9198a1", "#3d444d", "#4493f8", "#ab7df8"
	}
	return charts.ThemeOption{
		IsDarkMode: dark, BackgroundColor: charts.ColorTransparent, TextColor: charts.ColorFromHex(text),
		AxisStrokeColor: charts.ColorFromHex(line), AxisSplitLineColor: charts.ColorFromHex(line),
		SeriesColors: []charts.Color{charts.ColorFromHex(views), charts.ColorFromHex(events)},
	}
}

// drawing is a chart of page views with the events on top, as SVG. There is no
// text in it but times and numbers.
func drawing(s spans, width, height int, dark bool) ([]byte, error) {
	values, labels, highest := [][]float64{nil, nil}, make([]string, len(s)), 0
	every := labelled(s, max(width/80, 2))
	for i, m := range s {
		values[0] = append(values[0], float64(m.Pageviews))
		values[1] = append(values[1], float64(m.Events))
		highest = max(highest, m.Pageviews+m.Events)
		if m.Time.Truncate(every).Equal(m.Time) {
			labels[i] = clock(m.Time)
		}
	}
	step := roundStep(highest, 5)
	steps := (highest + step - 1) / step
	o := charts.NewBarChartOptionWithData(values)
	o.Theme = charts.MakeTheme(theme(dark))
	o.StackSeries = new(true)
	o.BarSize = 0.8
	o.Padding = charts.Box{Top: 12, Right: 24, Bottom: 4, Left: 4, IsSet: true}
	o.Legend.Show = new(false) // the page has one
	o.CategoryAxis = charts.CategoryAxisOption{Labels: labels, LabelCount: len(labels), BoundaryGap: new(true)}
	o.ValueAxis = []charts.ValueAxisOption{{
		Min: new(0.0), Max: new(float64(step * max(steps, 1))), RangeValuePaddingScale: new(0.0),
		LabelCount: max(steps, 1) + 1, SplitLineShow: new(true),
	}}
	o.ValueFormatter = func(f float64) string { return fmt.Sprint(int(f + 0.5)) }
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height})
	if err := p.BarChart(o); err != nil {
		return nil, err
	}
	return p.Bytes()
}

// labelled is the round time between two labels, of which there are at most n.
func labelled(s spans, n int) time.Duration {
	whole := s[len(s)-1].Time.Sub(s[0].Time)
	every := time.Minute
	for _, minutes := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720} {
		if every = minutes * time.Minute; whole/every < time.Duration(n) {
			break
		}
	}
	return every
}

// roundStep is 1, 2 or 5 times a power of ten, so that n steps reach highest.
func roundStep(highest, n int) int {
	for step := 1; ; step *= 10 {
		for _, times := range []int{1, 2, 5} {
			if step*times*n >= highest {
				return step * times
			}
		}
	}
}
