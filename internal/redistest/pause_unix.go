//go:build unix

package redistest

import "syscall"

// Pause stops the server (SIGSTOP): the kernel still accepts connections and data, nothing answers.
func (s *Server) Pause() {
	s.signal(syscall.SIGSTOP)
	s.paused = true
}

// Resume lets a paused server go on (SIGCONT).
func (s *Server) Resume() {
	s.signal(syscall.SIGCONT)
	s.paused = false
}
