package ml

// Queue is what the scheduler is at, as /hearth/v1/queue tells it.
type Queue struct {
	Slots Slots `json:"slots"`
	// Waiting counts the jobs that wait; Jobs are the first of them.
	Waiting int          `json:"waiting"`
	Jobs    []WaitingJob `json:"jobs,omitempty"`
	Running []RunningJob `json:"running,omitempty"`
}

// WaitingJob is a job in the queue.
type WaitingJob struct {
	Project string `json:"project"`
	Job     string `json:"job"`
	// Position counts from 1.
	Position   int       `json:"position"`
	Priority   int       `json:"priority,omitempty"`
	Needs      Resources `json:"needs"`
	CreateTime Timestamp `json:"createTime"`
	// ExpectedStartTime supposes that each job runs as long as the last ones of
	// its module did; absent if nothing is known.
	ExpectedStartTime Timestamp `json:"expectedStartTime,omitzero"`
	// Reason is a sentence that says what it waits for.
	Reason string `json:"reason"`
}

// RunningJob is a job that holds a lease.
type RunningJob struct {
	Project string    `json:"project"`
	Job     string    `json:"job"`
	State   JobState  `json:"state"`
	Holds   Resources `json:"holds"`
	// GPUs are the UUIDs of its devices.
	GPUs            []string  `json:"gpus,omitempty"`
	StartTime       Timestamp `json:"startTime,omitzero"`
	ExpectedEndTime Timestamp `json:"expectedEndTime,omitzero"`
}
