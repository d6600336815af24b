package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Error says where a body is not the reply that it should be.
type Error struct {
	Field  string // JSON pointer (RFC 6901) to the value, cut if very long; "" for the whole body
	Offset int64  // bytes from the start of the body
	Err    error

	within bool // a value of the body is wrong, which is JSON so far and can be read on
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%v (byte %d)", e.Err, e.Offset)
	}
	return fmt.Sprintf("%s: %v (byte %d)", e.Field, e.Err, e.Offset)
}

func (e *Error) Unwrap() error { return e.Err }

// Umami is not ours to correct: names may repeat (the last one counts) and
// texts may hold broken UTF-8, as for encoding/json.
var decodeOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// errNotJSON says that the body is no JSON from pos on.
var errNotJSON = errors.New("not JSON")

// explain makes what the reader found wrong an *Error that tells all. Only then
// is the body read by a decoder that knows where it is.
func (r *reader) explain(err error) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.buf), decodeOptions...)
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return notJSON(dec)
	case e.within:
		for dec.InputOffset() <= e.Offset {
			if _, err := dec.ReadToken(); err != nil {
				break
			}
		}
		e.Field = pointer(dec.StackPointer())
	}
	return e
}

// notJSON tells where the body stops to be JSON.
func notJSON(dec *jsontext.Decoder) *Error {
	for {
		_, err := dec.ReadToken()
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			return &Error{Field: pointer(syntax.JSONPointer), Offset: syntax.ByteOffset, Err: syntax.Err}
		}
		return &Error{Field: pointer(dec.StackPointer()), Offset: dec.InputOffset(), Err: err}
	}
}

// pointer keeps the pointer to a deeply nested value readable.
func pointer(p jsontext.Pointer) string {
	const most = 200
	if len(p) <= most {
		return string(p)
	}
	return strings.ToValidUTF8(string(p[:most]), "") + "…"
}

func kindName(first byte) string {
	switch first {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	default:
		return "an array"
	}
}
