package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Traffic says what is published.
type Traffic struct {
	// Rate is messages a second, over all rooms in turn.
	Rate float64

	// Size is the bytes of a message, at least MinSize.
	Size int

	// Warm is how long messages are published before any is counted; 0 means not at all.
	Warm time.Duration

	// Duration is how long those are published that are counted.
	Duration time.Duration

	// Settle is how long at most to wait for what was published and has not arrived; 0 means 2 s.
	Settle time.Duration

	// Publish publishes payload, a JSON string, which is its own from then on. It is called from one
	// goroutine, in bursts, and should pipeline. nil means that nothing is published, and that
	// each message which comes counts as a delivery; see Options.Message.
	Publish func(room string, payload []byte) error

	// Flush is called after each burst; nil means nothing.
	Flush func() error

	// Begin is called when counting begins, and End when all has arrived or Settle is over, for example to
	// read the CPU clock of the server; nil means nothing.
	Begin, End func() error
}

func (t Traffic) settle() time.Duration { return cmp.Or(t.Settle, 2*time.Second) }

// Run publishes and counts. It tells progress about every 250 ms, from its own goroutine; nil means nobody.
// If ctx ends after counting began, it waits for what is on its way, and returns both what was
// counted and ctx's error; no other error comes with a result.
func (c *Clients) Run(ctx context.Context, t Traffic, progress func(Progress)) (*Result, error) {
	if t.Publish != nil && t.Size < MinSize {
		return nil, fmt.Errorf("messages of %d bytes: %d is the least, for what is counted by", t.Size, MinSize)
	}
	if t.Publish != nil && (t.Rate <= 0 || math.IsNaN(t.Rate) || t.Rate*max(t.Duration, t.Warm).Seconds() > math.MaxUint32) {
		return nil, fmt.Errorf("%v messages a second for %v: it must be more than 0, and no more than 4 billion in all", t.Rate, max(t.Duration, t.Warm))
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	if t.Warm > 0 {
		if _, err := c.part(ctx, t, t.Warm, func(p Progress) { p.Warming = true; progress(p) }); err != nil {
			return nil, err
		}
	}
	if err := call(t.Begin); err != nil {
		return nil, fmt.Errorf("at the beginning: %w", err)
	}
	before := ownCPU()
	p, err := c.part(ctx, t, t.Duration, progress)
	own := ownCPU() - before
	if ended := call(t.End); ended != nil {
		return nil, errors.Join(err, fmt.Errorf("at the end: %w", ended))
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	r := c.result(p)
	r.OwnCPU = own
	return r, err
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

// part is one run from its first message to the last that arrives.
func (c *Clients) part(ctx context.Context, t Traffic, d time.Duration, progress func(Progress)) (*publishing, error) {
	const every = 250 * time.Millisecond
	publishing, cancel := context.WithCancel(ctx)
	defer cancel()
	p := c.begin(t, d)
	published := make(chan error, 1)
	go func() { published <- p.publish(publishing) }() // ends with ctx, an error, or d
	var over time.Time                                 // when to wait no longer; zero: it still publishes
	told := time.Now()
	for {
		if err := c.look(context.WithoutCancel(ctx)); err != nil { // ends soon after ctx, by the publisher
			cancel()
			return p, errors.Join(err, <-published)
		}
		if time.Since(told) >= every {
			told = time.Now()
			progress(c.progress(p))
		}
		if !over.IsZero() {
			if c.arrived(p) || time.Now().After(over) {
				return p, ctx.Err()
			}
			continue
		}
		select {
		case err := <-published:
			if err != nil {
				return p, err
			}
			over = time.Now().Add(t.settle())
		default:
		}
	}
}

// arrived reports whether nothing more is to come.
func (c *Clients) arrived(p *publishing) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run.any || c.run.delivered >= p.expected.Load()
}
