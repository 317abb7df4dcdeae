//go:build !linux

package load

func newFleet(c *Clients) (fleet, error) { return newWaitingFleet(c), nil }
