// Package appliance puts Hearth together: it reads the configuration, opens
// the data folder and everything in it, and connects the parts. It is the only
// place that knows them all; each part knows just the interfaces it declares.
//
// The life of an appliance is Open → Run(ctx) → Close. Open fails for anything
// that would make the daemon useless (a taken port, a data folder in use, a
// newer schema); Run serves until its context ends, leaving jobs and model
// workers running; Close gives everything back and may be called twice.
package appliance
