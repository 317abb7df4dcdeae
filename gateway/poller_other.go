//go:build !linux

package gateway

// A poller parks nothing here: each connection keeps its reading goroutine.
type poller struct{}

func newPoller() (*poller, error)    { return &poller{}, nil }
func (*poller) watch(*conn)          {}
func (*poller) arm(*conn, bool) bool { return false }
func (*poller) forget(*conn)         {}
func (*poller) close() error         { return nil }
