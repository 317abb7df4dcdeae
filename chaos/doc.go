// Package chaos is the chaos suite: it runs roomgate as it is shipped, with real Redis servers and
// real clients, breaks something, and counts. Each message that Redis took has to arrive, once and in
// order, or its loss has to be announced: by a gap, or by the end of the connection. README.md says
// what each case does and how to read the table.
//
// Key invariants
//   - A message counts as published only if Redis answered that it has it.
//   - Nothing outlives its test: not a process, a namespace or a goroutine.
//   - Clients keep to the reconnect rule of docs/protocol.md, and know nothing of the fault.
package chaos
