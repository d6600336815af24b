package umamitest

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// writer writes JSON as JSON.stringify does.
type writer struct {
	*setting
	b []byte
}

func (w *writer) name(raw string) *writer {
	w.b = append(w.b, raw...)
	return w
}

func (w *writer) number(n int64) *writer {
	w.b = strconv.AppendInt(w.b, n, 10)
	return w
}

func (w *writer) text(s string) *writer {
	w.b, _ = jsontext.AppendQuote(w.b, s) // an error is about UTF-8, and U+FFFD then stands for it
	return w
}

// orNull writes a column that may be absent.
func (w *writer) orNull(s string) *writer {
	if s == "" && w.database == Postgres {
		return w.name("null")
	}
	return w.text(s)
}

// referrer writes a column of the referrer: all of them are absent or none is.
// A referrer without a host, such as about:blank, has an empty domain.
func (w *writer) referrer(row *Row, s string) *writer {
	if row.ReferrerDomain == "" && row.ReferrerPath == "" {
		return w.orNull("")
	}
	return w.text(s)
}

// list writes an array of what each writes.
func list[T any](w *writer, items []T, each func(T)) *writer {
	w.name("[")
	for i, item := range items {
		if i > 0 {
			w.name(",")
		}
		each(item)
	}
	return w.name("]")
}

// createdAt writes the time of a row.
func (w *writer) createdAt(t time.Time) {
	layout := `"2006-01-02T15:04:05.000Z"`
	switch {
	case w.database == ClickHouse && w.shape == modern:
		layout = `"2006-01-02T15:04:05Z"`
	case w.database == ClickHouse && w.shape != document:
		layout = `"2006-01-02 15:04:05"`
	}
	w.b = t.UTC().AppendFormat(w.b, layout)
}

// tally is a map of counts in the order of JavaScript's objects.
type tally struct {
	keys []string
	n    map[string]int
}

func (t *tally) add(key string) {
	if key == "" || key == "__proto__" {
		return
	}
	if t.n == nil {
		t.n = make(map[string]int)
	}
	if t.n[key] == 0 {
		t.keys = append(t.keys, key)
	}
	t.n[key]++
}

// inherited are functions that every JavaScript object has. The server adds 1
// to them, which makes a text.
var inherited = map[string]string{
	"constructor": "Object", "toString": "toString", "toLocaleString": "toLocaleString", "valueOf": "valueOf",
	"hasOwnProperty": "hasOwnProperty", "isPrototypeOf": "isPrototypeOf", "propertyIsEnumerable": "propertyIsEnumerable",
}

func (w *writer) tally(t *tally) *writer {
	w.name("{")
	for i, key := range t.keys {
		if i > 0 {
			w.name(",")
		}
		w.text(key).name(":")
		function, spoiled := inherited[key]
		if !spoiled {
			w.number(int64(t.n[key]))
			continue
		}
		w.name(`"function `).name(function).name(`() { [native code] }`)
		for range t.n[key] {
			w.name("1")
		}
		w.name(`"`)
	}
	return w.name("}")
}
