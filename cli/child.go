package cli

// children are the hidden commands: the program as a child process of the
// daemon, or of the tests' set-up. They are looked up before anything else is
// made.
var children = map[string]func(args []string) int{
	"task":              taskMain,
	"build-environment": buildEnvironmentMain,
	"model-worker":      modelWorkerMain,
	"batch-predict":     batchPredictMain,
	"install-runtime":   installRuntimeMain,
}
