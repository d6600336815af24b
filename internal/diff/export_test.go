package diff

import "github.com/seed721439b2/umami-go/internal/wire"

// Next takes the next reply and says what it changed.
func (c *Core) Next(r *wire.Reply) Change { return c.Begin(r).Finish() }
