package gcemetadata

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Token is the access token that everybody gets. It opens nothing.
const Token = "metadata-token-of-no-value"

// The header that marks both sides of the protocol.
const (
	flavorHeader = "Metadata-Flavor"
	flavor       = "Google"
)

const (
	prefix = "/computeMetadata/v1/"
	scope  = "https://www.googleapis.com/auth/cloud-platform"
	zone   = "us-central1-a"
	number = "1"
)

// account is the one service account, as ?recursive=true shows it.
type account struct {
	Aliases []string `json:"aliases"`
	Email   string   `json:"email"`
	Scopes  []string `json:"scopes"`
}

// token is an OAuth 2 access token's answer.
type token struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
	TokenType   string `json:"token_type"`
}

// New makes the handler for a project.
func New(project string) http.Handler {
	return &handler{project: project, account: account{
		Aliases: []string{"default"},
		Email:   "default@" + project + ".iam.gserviceaccount.com",
		Scopes:  []string{scope},
	}}
}

// Asks reports whether r says that it wants a metadata server.
func Asks(r *http.Request) bool { return r.Header.Get(flavorHeader) == flavor }

type handler struct {
	project string
	account account
}

// ServeHTTP answers one path of the metadata server.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(flavorHeader, flavor)
	w.Header().Set("Server", "Metadata Server for VM")
	// The required header is what a page in a browser cannot send, and a proxy
	// on the way means that the caller is not of this machine.
	if !Asks(r) || r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "Missing required header: Metadata-Flavor: Google", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "The metadata server is read with GET.", http.StatusMethodNotAllowed)
		return
	}
	v, ok := h.value(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if text, isText := v.(string); isText {
		w.Header().Set("Content-Type", "application/text")
		_, _ = io.WriteString(w, text)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// value finds what a path holds: a string, or something to be shown as JSON.
func (h *handler) value(r *http.Request) (any, bool) {
	path, recursive := r.URL.Path, r.URL.Query().Get("recursive") == "true"
	if path == "/" {
		return "computeMetadata/\n", true
	}
	path, ok := strings.CutPrefix(path, prefix)
	if !ok {
		return "v1/\n", path == "/computeMetadata/"
	}
	path = strings.TrimSuffix(path, "/")
	if rest, ok := strings.CutPrefix(path, "instance/service-accounts"); ok {
		return h.serviceAccounts(rest, recursive)
	}
	switch path {
	case "":
		return "instance/\nproject/\nuniverse/\n", true
	case "project/project-id":
		return h.project, true
	case "project/numeric-project-id":
		return number, true
	case "universe/universe-domain", "universe/universe_domain":
		return "googleapis.com", true
	case "instance/zone":
		return "projects/" + number + "/zones/" + zone, true
	}
	return nil, false
}

// serviceAccounts answers what lies below instance/service-accounts. The
// account has two names: default and its address.
func (h *handler) serviceAccounts(rest string, recursive bool) (any, bool) {
	if rest == "" {
		if recursive {
			return map[string]account{"default": h.account, h.account.Email: h.account}, true
		}
		return "default/\n" + h.account.Email + "/\n", true
	}
	name, item, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if name != "default" && name != h.account.Email {
		return nil, false
	}
	switch item {
	case "":
		if recursive {
			return h.account, true
		}
		return "aliases\nemail\nscopes\ntoken\n", true
	case "aliases":
		return "default\n", true
	case "email":
		return h.account.Email, true
	case "scopes":
		return scope + "\n", true
	case "token":
		const hour = 3599
		return token{AccessToken: Token, ExpiresIn: hour, TokenType: "Bearer"}, true
	}
	return nil, false
}
