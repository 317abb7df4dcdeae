package gateway

import (
	"context"
	"time"
)

// reconnectWindow is the window from which a bye's `after` is drawn, so that the clients of
// a node do not reach the next one together. A client without an `after` draws from the same.
const reconnectWindow = 5 * time.Second

// StopAdmitting refuses new connections from now on, with 503.
func (g *Gateway) StopAdmitting() { g.draining.Store(true) }

// Drain ends every connection with code 4201, spread evenly over period, each after what is
// queued for it. New ones are refused. It returns when none is left, or when ctx ends.
func (g *Gateway) Drain(ctx context.Context, period time.Duration) error {
	g.StopAdmitting()
	list := g.all()
	start := time.Now()
	for i, c := range list {
		due := start.Add(period * time.Duration(i) / time.Duration(len(list)))
		if err := sleepUntil(ctx, due); err != nil {
			return err
		}
		c.bye(endDrain)
	}
	for _, c := range g.all() { // those that came through the door while it closed
		c.bye(endDrain)
	}
	select {
	case <-g.whenEmpty():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bye ends the connection for a reason that is not the client's, and tells when to reconnect.
func (c *conn) bye(e ending) {
	if c.format != formatV1 {
		c.end(e)
		return
	}
	after := drawAfter(reconnectWindow)
	c.endWith(e, textFrame(byeFrame{Type: "bye", Code: e.code, After: int64(after / time.Millisecond)}))
}

// cutOff ends every connection at once, and returns when none is left.
func (g *Gateway) cutOff() {
	for _, c := range g.all() {
		c.end(endStop)
		c.kill()
	}
	<-g.whenEmpty()
}

// sleepUntil returns at due, or with the error of ctx when that ends.
func sleepUntil(ctx context.Context, due time.Time) error {
	d := time.Until(due)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
