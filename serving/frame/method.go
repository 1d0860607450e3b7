package frame

// Method says what a [Predict] frame asks for and in whose words, as its Status.
type Method int

// The methods.
const (
	// AIPlatform is projects.predict: JSON in, JSON out.
	AIPlatform Method = iota
	// TFServing is predict of TensorFlow Serving's REST API.
	TFServing
	// TFServingMetadata gives the signatures as that API's metadata shows them;
	// the request has no body.
	TFServingMetadata
	// GRPCPredict takes a tensorflow.serving.PredictRequest and gives the
	// PredictResponse, both encoded.
	GRPCPredict
	// GRPCMetadata gives an encoded tensorflow.serving.SignatureDefMap; the
	// request has no body.
	GRPCMetadata
)
