package frame

// The states of a worker, as the Status of a [State] frame.
const (
	// Loading: the model is being loaded and warmed up.
	Loading = 1
	// Ready: predictions are answered.
	Ready = 2
	// Failed: the model cannot be served; the frame's Body says why. The worker
	// stays until it is told to end, so that this can be asked at any time.
	Failed = 3
)
