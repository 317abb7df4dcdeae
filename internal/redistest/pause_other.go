//go:build !unix

package redistest

// Pause fails the test: this system cannot stop a process.
func (s *Server) Pause() {
	s.t.Helper()
	s.t.Fatal("redis-server cannot be paused on this system")
}

// Resume does nothing: Pause has failed.
func (s *Server) Resume() {}
