package tensor

// Field numbers of tensorflow.serving's PredictionLog and PredictLog.
const (
	logPredict     = 6
	logPredictOnly = 1
)

// LoggedRequest gives the encoded PredictRequest of an encoded
// tensorflow.serving.PredictionLog, as files of warm-up requests hold them; nil if
// the log is of another kind of request.
func LoggedRequest(log []byte) ([]byte, error) {
	var request []byte
	f := fields{rest: log}
	for f.next() {
		if !f.is(logPredict) {
			continue
		}
		predict := fields{rest: f.content}
		for predict.next() {
			if predict.is(logPredictOnly) {
				request = predict.content
			}
		}
		if predict.err != nil {
			return nil, invalid("its predict_log is no PredictLog: %v", predict.err)
		}
	}
	if f.err != nil {
		return nil, invalid("it is no PredictionLog: %v", f.err)
	}
	return request, nil
}
