// Package image builds the image of the Dockerfile as buildah does, without a daemon or a registry, looks
// at what is in it, and runs it as a runtime would: its own user, its own read-only root, no capabilities.
//
// The build stage's base is made here, of this machine's Go and system, by bind mounts: Dockerfile's default
// base is not pulled. Linux, root and buildah are needed.
package image
