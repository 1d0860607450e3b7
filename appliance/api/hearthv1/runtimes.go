package hearthv1

import (
	"net/http"
	"path/filepath"

	"hearth/ml"
	"hearth/ml/rest"
)

// install answers with one JSON object a line as the installation goes on; the
// last has the runtime or the error.
func (o Options) install(w http.ResponseWriter, r *http.Request, _ rest.Params) error {
	var req struct {
		Name       string `json:"name"`
		Wheelhouse string `json:"wheelhouse"`
		Python     string `json:"python"`
	}
	if err := rest.Decode(r, &req, maxBody); err != nil {
		return err
	}
	if req.Name == "" {
		return ml.FieldErrorf("name", "Name the runtime to install, such as 2.21.")
	}
	lines := newLineWriter(w)
	runtime, err := o.Runtimes.Install(r.Context(), req.Name, req.Wheelhouse, req.Python, func(p ml.InstallProgress) { lines.write(p) })
	return lines.end(map[string]any{"runtime": runtime}, err)
}

// archiveRequest names a file of the daemon's machine.
type archiveRequest struct {
	File   string `json:"file"`
	Python string `json:"python"`
}

func readArchiveRequest(r *http.Request) (req archiveRequest, err error) {
	if err := rest.Decode(r, &req, maxBody); err != nil {
		return req, err
	}
	if !filepath.IsAbs(req.File) {
		return req, ml.FieldErrorf("file", "%q is not the whole path of a file on the daemon's machine.", req.File)
	}
	return req, nil
}

// exportRuntime answers as install does; the last line has the file.
func (o Options) exportRuntime(w http.ResponseWriter, r *http.Request, p rest.Params) error {
	req, err := readArchiveRequest(r)
	if err != nil {
		return err
	}
	lines := newLineWriter(w)
	err = o.Runtimes.Export(r.Context(), p.Get("name"), req.File, func(p ml.InstallProgress) { lines.write(p) })
	return lines.end(map[string]any{"archive": map[string]string{"file": req.File}}, err)
}

// importRuntime answers as install does.
func (o Options) importRuntime(w http.ResponseWriter, r *http.Request, _ rest.Params) error {
	req, err := readArchiveRequest(r)
	if err != nil {
		return err
	}
	lines := newLineWriter(w)
	runtime, err := o.Runtimes.Import(r.Context(), req.File, req.Python, func(p ml.InstallProgress) { lines.write(p) })
	return lines.end(map[string]any{"runtime": runtime}, err)
}
