//go:build !unix

package main

import "os"

// notifyReload returns nil: no signal here asks a server to read its settings anew.
func (p *program) notifyReload() (signals <-chan os.Signal, stop func()) {
	return p.reloads, func() {}
}
