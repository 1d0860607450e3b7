package tests

import (
	"net/http"
	"strings"
	"testing"
)

func TestAccess(t *testing.T) {
	d := newDaemon(t)
	owner := "Bearer " + d.token
	for name, c := range map[string]struct {
		path, auth, host, origin string
		want                     int
	}{
		"owner":                 {"/v1/projects/hearth/models", owner, "", "", 200},
		"no token":              {"/v1/projects/hearth/models", "", "", "", 401},
		"wrong token":           {"/v1/projects/hearth/models", "Bearer x", "", "", 401},
		"no token, storage":     {"/storage/v1/b", "", "", "", 401},
		"no token, hearth":      {"/hearth/v1/status", "", "", "", 401},
		"no token, logging":     {"/v2/entries:list", "", "", "", 401},
		"foreign host":          {"/v1/projects/hearth/models", owner, "evil.example", "", 403},
		"foreign origin":        {"/v1/projects/hearth/models", owner, "", "http://evil.example", 403},
		"foreign host, healthz": {"/healthz", "", "evil.example", "", 403},
		"healthz":               {"/healthz", "", "", "", 200},
		"readyz":                {"/readyz", "", "", "", 200},
		"metadata's token":      {"/v1/projects/hearth/models", "Bearer " + d.metadataToken(), "", "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest("GET", "http://"+d.addr+c.path, nil)
			check(t, err)
			if c.auth != "" {
				req.Header.Set("Authorization", c.auth)
			}
			if c.origin != "" {
				req.Header.Set("Origin", c.origin)
			}
			req.Host = c.host
			res, err := http.DefaultClient.Do(req)
			check(t, err)
			res.Body.Close()
			if res.StatusCode != c.want {
				t.Errorf("answered %d, want %d", res.StatusCode, c.want)
			}
		})
	}
}

// metadataToken asks the metadata server as any local process can.
func (d *daemon) metadataToken() string {
	d.t.Helper()
	req, err := http.NewRequest("GET", "http://"+d.addr+"/computeMetadata/v1/instance/service-accounts/default/token", nil)
	check(d.t, err)
	req.Header.Set("Metadata-Flavor", "Google")
	res, err := http.DefaultClient.Do(req)
	check(d.t, err)
	defer res.Body.Close()
	var v struct {
		AccessToken string `json:"access_token"`
	}
	check(d.t, decode(res.Body, &v))
	if v.AccessToken == "" {
		d.t.Fatal("the metadata server gave no token")
	}
	return v.AccessToken
}

// A job's credentials open the bucket and nothing else.
func TestAccess_JobReachesItsBucketOnly(t *testing.T) {
	d := newDaemon(t)
	d.must("storage", "buckets", "create", "gs://data")
	uri := d.upload(trainer(t, `
import os, ssl, urllib.request, urllib.error
context = ssl.create_default_context(cafile=os.environ["CURL_CA_BUNDLE"])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"https": os.environ["https_proxy"]}), urllib.request.HTTPSHandler(context=context))
def ask(name, url):
    try:
        print(name, opener.open(url).status)
    except urllib.error.HTTPError as e:
        print(name, e.code)
    except OSError as e:
        print(name, "refused", e)
ask("bucket", "https://storage.googleapis.com/storage/v1/b/data")
ask("models", "https://ml.googleapis.com/v1/projects/hearth/models")
ask("elsewhere", "https://example.com/")
`), "nosy")
	d.submit("nosy_1", uri)
	out := d.must("jobs", "stream-logs", "nosy_1")
	for _, want := range []string{"bucket 200", "models 403", "elsewhere refused"} {
		if !strings.Contains(out, want) {
			t.Errorf("the log lacks %q:\n%s", want, out)
		}
	}
}
