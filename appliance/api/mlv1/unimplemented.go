package mlv1

import "net/http"

// unimplemented are the methods that this server does not have, by HTTP
// method; paths are below the project.
var unimplemented = map[string][]string{
	http.MethodGet: {
		":getConfig",
		"/jobs/{job}:getIamPolicy",
		"/locations",
		"/locations/{location}",
		"/locations/{location}/operations/{operation}",
		"/locations/{location}/studies",
		"/locations/{location}/studies/{study}",
		"/locations/{location}/studies/{study}/trials",
		"/locations/{location}/studies/{study}/trials/{trial}",
	},
	http.MethodPost: {
		":explain",
		"/models/{model}:explain",
		"/models/{model}/versions/{version}:explain",
		"/jobs/{job}:setIamPolicy",
		"/jobs/{job}:testIamPermissions",
		"/locations/{location}/operations/{operation}:cancel",
		"/locations/{location}/studies",
		"/locations/{location}/studies/{study}/trials",
		"/locations/{location}/studies/{study}/trials:listOptimalTrials",
		"/locations/{location}/studies/{study}/trials:suggest",
		"/locations/{location}/studies/{study}/trials/{trial}:addMeasurement",
		"/locations/{location}/studies/{study}/trials/{trial}:checkEarlyStoppingState",
		"/locations/{location}/studies/{study}/trials/{trial}:complete",
		"/locations/{location}/studies/{study}/trials/{trial}:stop",
		"/operations/{operation}:cancel",
	},
	http.MethodPatch: {
		"/jobs/{job}",
		"/models/{model}",
		"/models/{model}/versions/{version}",
	},
	http.MethodDelete: {
		"/locations/{location}/studies/{study}",
		"/locations/{location}/studies/{study}/trials/{trial}",
	},
}

func (a *api) routeUnimplemented() {
	for method, paths := range unimplemented {
		for _, path := range paths {
			a.mux.Unimplemented(method, "/v1/projects/{project}"+path)
		}
	}
}
