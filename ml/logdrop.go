package ml

// LogDrop is log.dropped: how much of the beginning of each log file is gone,
// because the log had grown beyond its limit. What is left keeps its place.
type LogDrop struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}
