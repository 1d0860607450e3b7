// Package metrics reads what the processes of an attempt have used over time:
// usage.log, which each supervisor writes, and gpu.log, which the daemon does.
package metrics
