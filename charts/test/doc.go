// Package chart tests the Helm chart beside it without a cluster: Helm's own library renders it, the
// types of Kubernetes and of the operators read what comes, the gateway's own loader takes the
// settings, and Prometheus's engine runs the alerts over the metrics of a real gateway.
//
// Key invariants
//   - What a test looks at was rendered: no test reads a template.
//   - Each value is refused, or comes to something that Kubernetes and roomgate take.
//   - A metric or a label that an alert or the dashboard names is one that the gateway has.
package chart
