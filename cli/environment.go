package cli

import (
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"hearth/cli/client"
	"hearth/ml"
)

// variable is one variable of an environment. Without a value it is one that
// must not be set.
type variable struct{ name, value string }

// environment points other people's programs at a daemon. Programs that can
// be told an endpoint get it; the others go through the daemon's proxy, which
// ends TLS for googleapis.com with a certificate authority of its own.
type environment struct {
	endpoint *url.URL
	token    string
	project  string
	dir      string // where files for other programs are
}

// environmentTargets are the values of env's --for.
var environmentTargets = []string{"gcloud", "gsutil", "python", "tensorflow"}

// prepareEnvironment writes the files that other programs are pointed at.
func prepareEnvironment(c *cli.Context) (*environment, error) {
	daemon, err := connect(c)
	if err != nil {
		return nil, err
	}
	token, err := readToken(c)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, ml.Errorf(ml.Unauthenticated, "no token is known for %s", daemon.Endpoint())
	}
	endpoint, err := url.Parse(daemon.Endpoint())
	if err != nil {
		return nil, err
	}
	ca, err := daemon.CA(c.Context)
	if err != nil {
		return nil, err
	}
	state, err := client.StateDir()
	if err != nil {
		return nil, err
	}
	e := &environment{endpoint: endpoint, token: token, project: daemon.Project(), dir: filepath.Join(state, client.HostPort(endpoint.Host))}
	if err := e.writeFiles(string(ca)); err != nil {
		return nil, fmt.Errorf("write the environment's files: %w", err)
	}
	return e, nil
}

// socksModule lets httplib2 use a proxy where PySocks is not installed.
//
//go:embed socks.py
var socksModule string

func (e *environment) writeFiles(ca string) error {
	for _, folder := range []string{"gcloud", "python"} {
		if err := os.MkdirAll(e.file(folder), 0o700); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{"token": e.token, "ca.pem": ca, "boto": e.boto(), "python/socks.py": socksModule} {
		if err := writeFile(e.file(name), content); err != nil {
			return err
		}
	}
	return nil
}

// writeFile puts a file in place whole: another program may be reading it.
func writeFile(path, content string) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if _, err := temporary.WriteString(content); err != nil {
		temporary.Close()
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

func (e *environment) file(name string) string { return filepath.Join(e.dir, name) }

// proxyUser is the user name under which the owner's token is a proxy
// credential.
const proxyUser = "owner"

// variables gives the variables for one target, or for all together.
func (e *environment) variables(target string) []variable {
	switch target {
	case "gcloud":
		return e.gcloud()
	case "gsutil":
		return e.gsutil()
	case "python":
		return e.python()
	case "tensorflow":
		return e.tensorflow()
	}
	var all []variable
	seen := map[string]bool{}
	for _, t := range environmentTargets {
		for _, v := range e.variables(t) {
			if !seen[v.name] {
				seen[v.name] = true
				all = append(all, v)
			}
		}
	}
	return all
}

// gcloud needs a folder of its own, or it would mix the daemon with the
// user's accounts at Google. With a region it would put that in front of the
// host's name.
func (e *environment) gcloud() []variable {
	at := e.endpoint.String()
	return []variable{
		{"CLOUDSDK_CONFIG", e.file("gcloud")},
		{"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", e.file("token")},
		{"CLOUDSDK_CORE_PROJECT", e.project},
		{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", e.file("ca.pem")},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_ML", at + "/"},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", at + "/storage/v1/"},
		{"CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING", at + "/"},
		{"CLOUDSDK_AI_PLATFORM_REGION", "global"},
		{"CLOUDSDK_COMPUTE_REGION", "us-central1"},
		{"CLOUDSDK_ML_ENGINE_POLLING_INTERVAL", "1"},
		{"CLOUDSDK_CORE_DISABLE_PROMPTS", "1"},
		{"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true"},
		{"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true"},
		{"CLOUDSDK_CORE_CHECK_GCE_METADATA", "false"},
		{"CLOUDSDK_SURVEY_DISABLE_PROMPTS", "true"},
		{"CLOUDSDK_CORE_DISABLE_FILE_LOGGING", "1"},
	}
}

func (e *environment) gsutil() []variable {
	return []variable{
		{"BOTO_CONFIG", e.file("boto")},
		{"CLOUDSDK_CONFIG", e.file("gcloud")},
		{"CLOUDSDK_CORE_PASS_CREDENTIALS_TO_GSUTIL", "false"},
		// gcloud's gsutil lets this override the file of BOTO_CONFIG.
		{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", e.file("ca.pem")},
		{"HTTPLIB2_CA_CERTS", e.file("ca.pem")},
	}
}

// boto is gsutil's configuration. gsutil has no place for a bearer token, so
// it goes through the proxy, whose credentials say who asks.
func (e *environment) boto() string {
	return fmt.Sprintf(`[Boto]
proxy = %s
proxy_port = %s
proxy_user = %s
proxy_pass = %s
proxy_rdns = True
https_validate_certificates = True
ca_certificates_file = %s

[GSUtil]
prefer_api = json
json_api_version = v1
default_project_id = %s
software_update_check_period = 0
`, e.endpoint.Hostname(), e.port(), proxyUser, e.token, e.file("ca.pem"), e.project)
}

func (e *environment) port() string {
	switch {
	case e.endpoint.Port() != "":
		return e.endpoint.Port()
	case e.endpoint.Scheme == "https":
		return "443"
	}
	return "80"
}

// tensorflow reaches gs:// through libcurl, which heeds these.
func (e *environment) tensorflow() []variable {
	proxy := url.URL{Scheme: "http", User: url.UserPassword(proxyUser, e.token), Host: e.endpoint.Host}
	return []variable{
		{"https_proxy", proxy.String()},
		{"no_proxy", e.direct()},
		{"CURL_CA_BUNDLE", e.file("ca.pem")},
		{"GCE_METADATA_HOST", e.endpoint.Host},
	}
}

// python is what Google's client libraries need: requests and httplib2 through
// the proxy, and the daemon's metadata server for a token that satisfies them.
// Keys of a real account would be tried first.
func (e *environment) python() []variable {
	path := e.file("python")
	if old := os.Getenv("PYTHONPATH"); old != "" && !slices.Contains(filepath.SplitList(old), path) {
		path = old + string(filepath.ListSeparator) + path
	} else if old != "" {
		path = old
	}
	return append(e.tensorflow(),
		variable{"PYTHONPATH", path},
		variable{"REQUESTS_CA_BUNDLE", e.file("ca.pem")},
		variable{"SSL_CERT_FILE", e.file("ca.pem")},
		variable{"HTTPLIB2_CA_CERTS", e.file("ca.pem")},
		variable{"GCE_METADATA_IP", e.endpoint.Host},
		variable{"GOOGLE_CLOUD_PROJECT", e.project},
		variable{"CLOUDSDK_CONFIG", e.file("gcloud")},
		variable{"GOOGLE_APPLICATION_CREDENTIALS", ""},
		// gcsfs heeds the proxy only if it is told to, and would ask by gRPC
		// what kind of bucket it talks to.
		variable{"FSSPEC_GS", `{"session_kwargs": {"trust_env": true}}`},
		variable{"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false"},
	)
}

// direct lists the hosts that are not for the proxy: the daemon itself, and
// what the user's environment names already.
func (e *environment) direct() string {
	hosts := []string{"127.0.0.1", "localhost"}
	if h := e.endpoint.Hostname(); h != hosts[0] && h != hosts[1] {
		hosts = append(hosts, h)
	}
	for host := range strings.SplitSeq(os.Getenv("no_proxy"), ",") {
		if host = strings.TrimSpace(host); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(hosts, ",")
}
