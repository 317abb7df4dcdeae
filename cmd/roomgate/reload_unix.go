//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyReload returns the signals that ask a server to read its settings anew, and what to call
// when it has ended.
func (p *program) notifyReload() (signals <-chan os.Signal, stop func()) {
	if p.reloads != nil {
		return p.reloads, func() {}
	}
	c := make(chan os.Signal, 1) // one that comes during a reload asks for another, and more for no more
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
