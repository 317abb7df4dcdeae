package wstest

import (
	"encoding/json"
)

// Next returns the next frame that is not a ping, which it answers, or a pong.
func (c *Client) Next() Frame {
	c.t.Helper()
	f, err := c.NextErr()
	if err != nil {
		c.t.Fatalf("waiting for a frame: %v", err)
	}
	return f
}

// NextErr is Next for goroutines that must not fail the test, and for connections that end.
func (c *Client) NextErr() (Frame, error) {
	for {
		f, err := c.Read()
		switch {
		case err != nil:
			return f, err
		case f.Op == Ping:
			if err := c.SendErr(Pong, f.Payload); err != nil {
				return f, err
			}
		case f.Op != Pong:
			return f, nil
		}
	}
}

// WantText expects the next frame to be exactly this text.
func (c *Client) WantText(want string) {
	c.t.Helper()
	if f := c.Next(); f.Op != Text || string(f.Payload) != want {
		c.t.Fatalf("got %v, want text %q", f, want)
	}
}

// WantType expects the next frame to be a JSON object of this type, and returns it.
func (c *Client) WantType(want string) map[string]any {
	c.t.Helper()
	f := c.Next()
	var m map[string]any
	if f.Op != Text || json.Unmarshal(f.Payload, &m) != nil || m["type"] != want {
		c.t.Fatalf("got %v, want a JSON object of type %q", f, want)
	}
	return m
}

// WantClose expects the next frame to be a close frame with this code, answers it, and
// expects the server to end the connection. It returns the reason.
func (c *Client) WantClose(code int) string {
	c.t.Helper()
	f := c.Next()
	if f.CloseCode() != code {
		c.t.Fatalf("got %v, want close %d", f, code)
	}
	_ = c.SendErr(Close, f.Payload[:min(2, len(f.Payload))]) // the server may be gone already
	if f, err := c.Read(); err == nil {
		c.t.Fatalf("after a close frame the server sent %v", f)
	}
	return string(f.Payload[min(2, len(f.Payload)):])
}

// WantGone expects the server to end the connection without another frame.
func (c *Client) WantGone() {
	c.t.Helper()
	if f, err := c.NextErr(); err == nil {
		c.t.Fatalf("got %v, want the connection to end", f)
	}
}
