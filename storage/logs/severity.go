package logs

import "regexp"

// How programs say on stderr how bad it is. The rules look at one line only:
// where reading begins must not matter.
var severityPatterns = []*regexp.Regexp{
	// Python's logging: "INFO:tensorflow:…", "WARNING: …", and with a time or
	// name in front: "2024-05-06 07:08:09,123 - trainer - INFO - …".
	regexp.MustCompile(`^(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^ ]*\s+(?:-\s+)?(?:[\w.]+\s+-\s+)?)?\[?(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)(?:[\]:]|\s+-\s)`),
	// absl and glog: "W0506 07:08:09.123456 …", "I0000 00:00:1715000000.123456 …".
	regexp.MustCompile(`^([DIWEF])\d{4} \d\d:\d\d:\d\d`),
	// TensorFlow: "2024-05-06 07:08:09.123456: I tensorflow/core/…".
	regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: ([DIWEF]) `),
	// Python's warnings: "/usr/lib/python3/x.py:12: DeprecationWarning: …".
	regexp.MustCompile(`^\S[^:]*:\d+: \w*(Warning): `),
}

// maxPrefix is how much of a line may say how bad it is, in bytes.
const maxPrefix = 256

var severities = map[string]string{
	"DEBUG": SeverityDebug, "D": SeverityDebug,
	"INFO": SeverityInfo, "I": SeverityInfo,
	"WARNING": SeverityWarning, "WARN": SeverityWarning, "W": SeverityWarning, "Warning": SeverityWarning,
	"ERROR": SeverityError, "E": SeverityError,
	"CRITICAL": SeverityCritical, "FATAL": SeverityCritical, "F": SeverityCritical,
}

// severity judges a line: stdout is INFO; stderr says it in the line's first
// characters, or is ERROR, as tracebacks are.
func severity(stream int, line string) string {
	if stream == streamStdout {
		return SeverityInfo
	}
	line = line[:min(len(line), maxPrefix)]
	for _, p := range severityPatterns {
		if m := p.FindStringSubmatch(line); m != nil {
			return severities[m[1]]
		}
	}
	return SeverityError
}
