package ml

// Installation is the state of a whole Hearth at one moment, as
// /hearth/v1/status tells it.
type Installation struct {
	Version       string `json:"version"`
	Project       string `json:"project"`
	Endpoint      string `json:"endpoint"`
	Data          string `json:"data"`
	Ready         bool   `json:"ready"`
	PID           int    `json:"pid"`
	UptimeSeconds int64  `json:"uptimeSeconds"`
	// Isolation says honestly what separates jobs from each other and from
	// serving on this host.
	Isolation Isolation `json:"isolation"`
	Slots     Slots     `json:"slots"`
	Devices   []Device  `json:"devices"`
	// GPUError is set if a GPU driver is present but fails.
	GPUError string `json:"gpuError,omitempty"`
	// Queue are the jobs that hold slots and the first of those that wait;
	// Waiting counts all of these.
	Queue    []QueuedJob     `json:"queue"`
	Waiting  int             `json:"waiting"`
	Versions []ServedVersion `json:"versions"`
	Disk     Disk            `json:"disk"`
	Bucket   BucketStatus    `json:"bucket"`
	Runtimes []string        `json:"runtimes"`
}

// Isolation is the level in force and what it consists of.
type Isolation struct {
	Level  string   `json:"level"`
	Detail []string `json:"detail"`
}

// Slots is what jobs can lease: all of it, and what is free now.
type Slots struct {
	Total Resources `json:"total"`
	Free  Resources `json:"free"`
}

// Device is one GPU.
type Device struct {
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	MemoryBytes int64  `json:"memoryBytes"`
	Health      string `json:"health"`
	// Index is the GPU's number in the driver's order; Parent is set for an
	// instance of a GPU that is divided.
	Index  int    `json:"index"`
	Parent string `json:"parent,omitempty"`
	// UsedBytes of its memory are in use; Utilization is in percent, absent
	// where the driver does not tell.
	UsedBytes   int64    `json:"usedBytes,omitempty"`
	Utilization *float64 `json:"utilization,omitempty"`
	// Holder is the job or the version that leases it; Unfit says why it cannot
	// be leased now.
	Holder string `json:"holder,omitempty"`
	Unfit  string `json:"unfit,omitempty"`
}

// QueuedJob is an unfinished job; Position counts from 1 while it waits.
type QueuedJob struct {
	Job      string   `json:"job"`
	State    JobState `json:"state"`
	Position int64    `json:"position,omitempty"`
}

// ServedVersion is a version of a model and the workers that serve it. PID is that of
// the first, 0 while none answers; PIDs are those of all.
type ServedVersion struct {
	Model    string       `json:"model"`
	Version  string       `json:"version"`
	State    VersionState `json:"state"`
	Default  bool         `json:"default,omitempty"`
	PID      int          `json:"pid"`
	PIDs     []int        `json:"pids,omitempty"`
	Restarts int          `json:"restarts"`
	// MemoryBytes is what the workers held when they began to answer, beside the files
	// that they map.
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	// Message says why no worker answers, or why the version failed.
	Message string `json:"message,omitempty"`
	// Lent is how many connections of clients the workers answer by themselves.
	Lent int `json:"lent"`
	// Session says how the worker runs the model: what was best when it was tried
	// out at its start.
	Session string `json:"session,omitempty"`
}

// Disk is the file system under the data folder.
type Disk struct {
	Path       string `json:"path"`
	TotalBytes int64  `json:"totalBytes"`
	FreeBytes  int64  `json:"freeBytes"`
}

// BucketStatus says where the bucket is and whether it answers.
type BucketStatus struct {
	// Backend is local or minio.
	Backend string `json:"backend"`
	// Location is the folder, or the address of the server.
	Location string `json:"location"`
	// Error says why it does not answer; it is empty if it does.
	Error string `json:"error,omitempty"`
	// ReserveBytes is how much of the local bucket's disk stays free.
	ReserveBytes int64 `json:"reserveBytes"`
	// Run is true if Hearth runs the server itself; Restarts counts how often
	// this daemon had to start it again.
	Run      bool `json:"run,omitempty"`
	Restarts int  `json:"restarts,omitempty"`
}

// Runtime is an installed TensorFlow runtime.
type Runtime struct {
	Name       string `json:"name"`
	TensorFlow string `json:"tensorflow"`
	Python     string `json:"python"`
	State      string `json:"state"`
	Default    bool   `json:"default,omitempty"`
	SizeBytes  int64  `json:"sizeBytes,omitempty"`
}

// InstallProgress is one step of the install of a runtime. TotalBytes is 0
// where nobody knows.
type InstallProgress struct {
	Phase      string `json:"phase"`
	Package    string `json:"package,omitempty"`
	DoneBytes  int64  `json:"doneBytes,omitempty"`
	TotalBytes int64  `json:"totalBytes,omitempty"`
	Message    string `json:"message,omitempty"`
}
