// Package test runs what stands in examples/ as a newcomer would: each API beside the real gateway and a
// real Redis, with the settings that the sidecar's manifest and the compose file have. Manifest and compose file
// themselves are read as strictly as Kubernetes and Docker Compose read them; neither is there to run them.
package test
