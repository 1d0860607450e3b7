package ml

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestPolicy_Grants(t *testing.T) {
	nobody, job, owner := Principal{}, Principal{Project: "hearth", Job: "j"}, Principal{Owner: true}
	bind := func(role string, members ...string) *Policy {
		return &Policy{Bindings: []Binding{{Role: role, Members: members}}}
	}
	for name, tc := range map[string]struct {
		policy *Policy
		who    Principal
		what   string
		want   bool
	}{
		"none":                {nil, nobody, PermissionModelPredict, false},
		"all users":           {bind("roles/ml.modelUser", "allUsers"), nobody, PermissionModelPredict, true},
		"all users, job":      {bind("roles/ml.modelUser", "allUsers"), job, PermissionModelPredict, true},
		"viewer":              {bind("roles/ml.viewer", "allUsers"), nobody, PermissionModelPredict, false},
		"viewer sees":         {bind("roles/ml.viewer", "allUsers"), nobody, PermissionModelGet, true},
		"authenticated":       {bind("roles/ml.modelUser", "allAuthenticatedUsers"), nobody, PermissionModelPredict, false},
		"authenticated, job":  {bind("roles/ml.modelUser", "allAuthenticatedUsers"), job, PermissionModelPredict, true},
		"the job":             {bind("roles/ml.modelUser", "user:x", "serviceAccount:job-j"), job, PermissionModelPredict, true},
		"another job":         {bind("roles/ml.modelUser", "serviceAccount:job-k"), job, PermissionModelPredict, false},
		"other permission":    {bind("roles/ml.modelOwner", "allUsers"), nobody, "ml.models.delete", false},
		"nobody by his name":  {bind("roles/ml.modelUser", nobody.String()+"x"), nobody, PermissionModelPredict, false},
		"the owner by a name": {bind("roles/ml.modelUser", "user:owner"), owner, PermissionModelPredict, true},
	} {
		if got := tc.policy.Grants(tc.who, tc.what); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPolicy_Validate(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		kind  Kind
		field string
	}{
		"empty":         {`{}`, OK, ""},
		"good":          {`{"bindings":[{"role":"roles/ml.modelUser","members":["allUsers","user:a@b","serviceAccount:x"]}],"auditConfigs":[]}`, OK, ""},
		"unknown role":  {`{"bindings":[{"role":"roles/ml.modelUser"},{"role":"roles/ml.king"}]}`, InvalidArgument, "policy.bindings[1].role"},
		"group":         {`{"bindings":[{"role":"roles/ml.modelUser","members":["allUsers","group:a@b"]}]}`, InvalidArgument, "policy.bindings[0].members[1]"},
		"no name":       {`{"bindings":[{"role":"roles/ml.modelUser","members":["user:"]}]}`, InvalidArgument, "policy.bindings[0].members[0]"},
		"condition":     {`{"bindings":[{"role":"roles/ml.modelUser","members":["allUsers"],"condition":{"expression":"false"}}]}`, Unimplemented, "policy.bindings[0].condition"},
		"audit configs": {`{"auditConfigs":[{"service":"x"}]}`, Unimplemented, "policy.auditConfigs"},
	} {
		var p Policy
		if err := json.Unmarshal([]byte(tc.text), &p); err != nil {
			t.Fatal(err)
		}
		err := p.Validate()
		var e *Error
		if KindOf(err) != tc.kind || errors.As(err, &e) && e.Field != tc.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPolicy_Merge(t *testing.T) {
	p := Policy{Bindings: []Binding{{Role: "roles/viewer", Members: []string{"user:b", "user:a"}}, {Role: "roles/editor", Members: []string{"user:a"}},
		{Role: "roles/viewer", Members: []string{"user:a"}}, {Role: "roles/owner"}}}
	p.Merge()
	want := []Binding{{Role: "roles/editor", Members: []string{"user:a"}}, {Role: "roles/viewer", Members: []string{"user:a", "user:b"}}}
	if !reflect.DeepEqual(p.Bindings, want) {
		t.Errorf("%+v, want %+v", p.Bindings, want)
	}
}
