package ml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Policy says who may do what with a resource, in the form of google.iam.v1. The
// owner may do everything, whatever it says.
type Policy struct {
	Version      int32           `json:"version,omitempty"`
	Bindings     []Binding       `json:"bindings,omitempty"`
	AuditConfigs json.RawMessage `json:"auditConfigs,omitempty"`
	Etag         []byte          `json:"etag,omitempty"`
}

// Binding gives a role to members: allUsers, allAuthenticatedUsers, user:NAME and
// serviceAccount:NAME.
type Binding struct {
	Role      string          `json:"role,omitempty"`
	Members   []string        `json:"members,omitempty"`
	Condition json.RawMessage `json:"condition,omitempty"`
}

// EtagOfNone is that of the policy of a resource that was never given one, as
// Google's services have it: ACAB in base64.
var EtagOfNone = []byte{0x00, 0x20, 0x01}

// Permissions on a model and what is below it.
const (
	PermissionModelGet       = "ml.models.get"
	PermissionModelPredict   = "ml.models.predict"
	PermissionVersionGet     = "ml.versions.get"
	PermissionVersionList    = "ml.versions.list"
	PermissionVersionPredict = "ml.versions.predict"
)

var (
	userPermissions = []string{PermissionModelGet, PermissionModelPredict, PermissionVersionGet, PermissionVersionList, PermissionVersionPredict}
	viewPermissions = []string{PermissionModelGet, PermissionVersionGet, PermissionVersionList}
)

// rolePermissions are the roles that a model's policy may give and what of the above
// they allow. What changes a model is the owner's alone.
var rolePermissions = map[string][]string{
	"roles/ml.modelUser":  userPermissions,
	"roles/ml.modelOwner": userPermissions,
	"roles/ml.developer":  userPermissions,
	"roles/ml.admin":      userPermissions,
	"roles/editor":        userPermissions,
	"roles/owner":         userPermissions,
	"roles/ml.viewer":     viewPermissions,
	"roles/viewer":        viewPermissions,
}

// Grants says whether the policy, which may be nil, lets somebody do something.
func (p *Policy) Grants(who Principal, permission string) bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Bindings, func(b Binding) bool {
		return slices.Contains(rolePermissions[b.Role], permission) && slices.ContainsFunc(b.Members, who.is)
	})
}

// is says whether a member of a binding means the principal.
func (p Principal) is(member string) bool {
	switch member {
	case "allUsers":
		return true
	case "allAuthenticatedUsers":
		return p != Principal{}
	}
	return p != Principal{} && member == p.String()
}

// Validate checks a policy that somebody sets. INVALID_ARGUMENT, or UNIMPLEMENTED for
// what would not be kept to.
func (p *Policy) Validate() error {
	if len(p.AuditConfigs) > 0 && !bytes.Equal(bytes.TrimSpace(p.AuditConfigs), []byte("[]")) {
		return unimplementedField("policy.auditConfigs", "Audit logs are not kept here; leave auditConfigs out.")
	}
	for i, b := range p.Bindings {
		field := indexed("policy.bindings", i)
		if len(b.Condition) > 0 && string(b.Condition) != "null" {
			return unimplementedField(field+".condition", "Conditions are not kept to here; bind the role without one.")
		}
		if rolePermissions[b.Role] == nil {
			return FieldErrorf(field+".role", "Role %q is not supported for this resource; there are %s.", b.Role, strings.Join(slices.Sorted(maps.Keys(rolePermissions)), ", "))
		}
		for j, member := range b.Members {
			if err := checkMember(fmt.Sprintf("%s.members[%d]", field, j), member); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkMember(field, member string) error {
	if member == "allUsers" || member == "allAuthenticatedUsers" {
		return nil
	}
	kind, name, _ := strings.Cut(member, ":")
	if (kind == "user" || kind == "serviceAccount") && name != "" && !strings.ContainsAny(name, " \t\n") {
		return nil
	}
	return FieldErrorf(field, "%q is not a member that is known here: allUsers, allAuthenticatedUsers, user:NAME or serviceAccount:NAME.", member)
}

// Merge gives the bindings in the form in which they are kept: one for each role, in
// order, without doubles and without those that have no members.
func (p *Policy) Merge() {
	members := map[string][]string{}
	for _, b := range p.Bindings {
		members[b.Role] = append(members[b.Role], b.Members...)
	}
	p.Bindings = nil
	for _, role := range slices.Sorted(maps.Keys(members)) {
		all := members[role]
		slices.Sort(all)
		if all = slices.Compact(all); len(all) > 0 {
			p.Bindings = append(p.Bindings, Binding{Role: role, Members: all})
		}
	}
}
