package logs

import (
	"encoding/json"
	"strings"
)

// maxStructured bounds the lines that are looked at as JSON, in bytes.
const maxStructured = 64 << 10

// structured reads a line that is a JSON object with a message, as structured
// loggers write them: the message is what people see, the object is kept, and
// its severity, under any of the names that are usual, counts on both streams.
func structured(stream int, line string) (message, severityName string, payload json.RawMessage, ok bool) {
	if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") || len(line) > maxStructured {
		return "", "", nil, false
	}
	var fields struct {
		Message   *string `json:"message"`
		Msg       *string `json:"msg"`
		Severity  any     `json:"severity"`
		LevelName any     `json:"levelname"`
		Level     any     `json:"level"`
	}
	if json.Unmarshal([]byte(line), &fields) != nil {
		return "", "", nil, false
	}
	payload = json.RawMessage(line)
	switch {
	case fields.Message != nil:
		message = *fields.Message
	case fields.Msg != nil:
		message = *fields.Msg
		payload = withMessage(payload, message)
	default:
		return "", "", nil, false
	}
	severityName = SeverityInfo
	if stream == streamStderr {
		severityName = SeverityError
	}
	for _, name := range []any{fields.Severity, fields.LevelName, fields.Level} {
		if text, isText := name.(string); isText {
			if known, ok := severities[strings.ToUpper(text)]; ok {
				severityName = known
				break
			}
		}
	}
	return message, severityName, payload, true
}

// withMessage adds the message under the name by which clients look for it.
func withMessage(payload json.RawMessage, message string) json.RawMessage {
	var all map[string]any
	if json.Unmarshal(payload, &all) != nil {
		return payload
	}
	all["message"] = message
	b, err := json.Marshal(all)
	if err != nil {
		return payload
	}
	return b
}
