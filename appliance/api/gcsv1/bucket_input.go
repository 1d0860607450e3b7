package gcsv1

import (
	"encoding/json"
	"errors"
	"strings"

	"hearth/appliance/api"
	"hearth/ml"
	"hearth/storage/object"
)

// bucketInput is what a client says of a bucket, by field. What has a meaning
// here is looked at; what has none is kept and given back.
type bucketInput map[string]json.RawMessage

// bucketIgnored are the fields that are not kept: those that only answers have,
// and access control lists, which the API treats apart.
var bucketIgnored = map[string]bool{
	"kind": true, "id": true, "selfLink": true, "name": true, "projectNumber": true, "generation": true, "metageneration": true,
	"location": true, "locationType": true, "storageClass": true, "labels": true, "etag": true, "timeCreated": true, "updated": true,
	"owner": true, "acl": true, "defaultObjectAcl": true, "softDeleteTime": true, "hardDeleteTime": true,
	"satisfiesPZI": true, "satisfiesPZS": true,
}

// check refuses what would change what becomes of objects.
func (in bucketInput) check() error {
	var f struct {
		Versioning struct {
			Enabled bool `json:"enabled"`
		} `json:"versioning"`
		Lifecycle struct {
			Rule []json.RawMessage `json:"rule"`
		} `json:"lifecycle"`
		Billing struct {
			RequesterPays bool `json:"requesterPays"`
		} `json:"billing"`
		HierarchicalNamespace struct {
			Enabled bool `json:"enabled"`
		} `json:"hierarchicalNamespace"`
		IPFilter struct {
			Mode string `json:"mode"`
		} `json:"ipFilter"`
		DefaultEventBasedHold bool           `json:"defaultEventBasedHold"`
		RetentionPolicy       map[string]any `json:"retentionPolicy"`
		ObjectRetention       map[string]any `json:"objectRetention"`
	}
	for name, dst := range map[string]any{
		"versioning": &f.Versioning, "lifecycle": &f.Lifecycle, "billing": &f.Billing, "hierarchicalNamespace": &f.HierarchicalNamespace,
		"ipFilter": &f.IPFilter, "defaultEventBasedHold": &f.DefaultEventBasedHold, "retentionPolicy": &f.RetentionPolicy,
		"objectRetention": &f.ObjectRetention,
	} {
		if value, ok := in[name]; ok {
			if err := json.Unmarshal(value, dst); err != nil {
				return wrongField(name, err)
			}
		}
	}
	for _, refused := range []struct {
		asked bool
		what  string
	}{
		{f.Versioning.Enabled, "Versioning (versioning.enabled) is"},
		{len(f.Lifecycle.Rule) > 0, "Lifecycle rules (lifecycle.rule) are"},
		{f.Billing.RequesterPays, "Billing of requesters (billing.requesterPays) is"},
		{f.HierarchicalNamespace.Enabled, "The hierarchical namespace (hierarchicalNamespace.enabled) is"},
		{f.IPFilter.Mode == "Enabled", "Filtering of addresses (ipFilter.mode) is"},
		{f.DefaultEventBasedHold, "Holding objects (defaultEventBasedHold) is"},
		{len(f.RetentionPolicy) > 0, "Retention (retentionPolicy) is"},
		{len(f.ObjectRetention) > 0, "Retention (objectRetention) is"},
	} {
		if refused.asked {
			return unimplemented(refused.what)
		}
	}
	return nil
}

// newName is the name of a bucket to be made.
func (in bucketInput) newName() (string, error) {
	name, _, err := in.text("name")
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", missingParameter("name")
	case api.Reserved(name):
		return "", ml.FieldErrorf("name", "Invalid bucket name: '%s': Hearth uses this path itself.", name)
	}
	return name, nil
}

// text reads a field that is a string; null is the empty one.
func (in bucketInput) text(name string) (value string, set bool, err error) {
	raw, ok := in[name]
	if !ok {
		return "", false, nil
	}
	var t text
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", true, wrongField(name, err)
	}
	return t.value, true, nil
}

// replace makes b what the client says: what it does not mention is not set.
func (in bucketInput) replace(b *object.Bucket) error {
	b.Labels, b.Extra, b.StorageClass = nil, nil, ""
	return in.merge(b)
}

// merge changes of b what the client mentions: null takes away, and what holds
// other fields is merged field by field.
func (in bucketInput) merge(b *object.Bucket) error {
	if err := in.mergeNamed(b); err != nil {
		return err
	}
	for name, value := range in {
		if bucketIgnored[name] {
			continue
		}
		merged, err := mergeJSON(b.Extra[name], value, maxDepth)
		if err != nil {
			return wrongField(name, err)
		}
		if merged == nil {
			delete(b.Extra, name)
			continue
		}
		if b.Extra == nil {
			b.Extra = map[string]json.RawMessage{}
		}
		b.Extra[name] = merged
	}
	return nil
}

// mergeNamed merges the fields that a bucket has by name.
func (in bucketInput) mergeNamed(b *object.Bucket) error {
	location, _, err := in.text("location")
	location = strings.ToUpper(location)
	switch {
	case err != nil:
		return err
	case b.Location == "" && location == "":
		b.Location = defaultLocation
	case b.Location == "":
		b.Location = location
	case location != "" && location != b.Location:
		return ml.FieldErrorf("location", "The location of a bucket cannot be changed.")
	}
	class, set, err := in.text("storageClass")
	if err == nil {
		err = checkStorageClass(class)
	}
	if err != nil {
		return err
	}
	if set {
		b.StorageClass = class
	}
	if b.StorageClass == "" {
		b.StorageClass = defaultStorageClass
	}
	return in.mergeLabels(b)
}

func (in bucketInput) mergeLabels(b *object.Bucket) error {
	raw, ok := in["labels"]
	if !ok {
		return nil
	}
	var labels map[string]*string
	if err := json.Unmarshal(raw, &labels); err != nil {
		return wrongField("labels", err)
	}
	if labels == nil {
		b.Labels = nil
	}
	for name, value := range labels {
		if value == nil {
			delete(b.Labels, name)
			continue
		}
		if b.Labels == nil {
			b.Labels = map[string]string{}
		}
		b.Labels[name] = *value
	}
	return nil
}

// maxDepth bounds how deep fields of a bucket hold each other.
const maxDepth = 16

var errTooDeep = errors.New("nested too deeply")

// mergeJSON merges a change into a value, as RFC 7386 has it: objects field by
// field, null takes away, everything else replaces. Nil is no value.
func mergeJSON(old, change json.RawMessage, depth int) (json.RawMessage, error) {
	switch {
	case string(change) == "null":
		return nil, nil
	case change[0] != '{':
		return change, nil
	case depth == 0:
		return nil, errTooDeep
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(change, &fields); err != nil {
		return nil, err
	}
	merged := map[string]json.RawMessage{}
	if len(old) > 0 && old[0] == '{' {
		if err := json.Unmarshal(old, &merged); err != nil {
			return nil, err
		}
	}
	for name, value := range fields {
		v, err := mergeJSON(merged[name], value, depth-1)
		if err != nil {
			return nil, err
		}
		if v == nil {
			delete(merged, name)
		} else {
			merged[name] = v
		}
	}
	return json.Marshal(merged)
}
