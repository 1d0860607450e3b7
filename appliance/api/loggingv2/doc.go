// Package loggingv2 is as much of Cloud Logging's API as reading the log of one
// job needs: entries.list, with filters that name the job and bound task, time
// and insertId. What else a filter may say is refused by name, so that nobody
// takes a wider answer for the one asked for.
package loggingv2
