package metadata

import (
	"testing"

	"hearth/ml"
)

func TestDB_ModelPolicy(t *testing.T) {
	db := withModel(t)
	none := must(db.ModelPolicy(project, "m"))(t)
	equal(t, "none", none, &ml.Policy{Version: 1, Etag: ml.EtagOfNone})
	if all := must(db.ModelPolicies())(t); len(all) != 0 {
		t.Errorf("there are %v", all)
	}
	before := must(db.Model(project, "m"))(t)
	none.Bindings = []ml.Binding{{Role: "roles/ml.modelUser", Members: []string{"allUsers"}}}
	set := must(db.SetModelPolicy(project, "m", none))(t)
	db.reopen()
	equal(t, "set", must(db.ModelPolicy(project, "m"))(t), set)
	equal(t, "all", must(db.ModelPolicies())(t), []ModelPolicy{{project, "m", set}})
	equal(t, "model", must(db.Model(project, "m"))(t), before)
	_, err := db.SetModelPolicy(project, "m", none) // its etag is that of before
	wantError(t, err, ml.Aborted, "There were concurrent policy changes; read the policy again and change that.")
	must(db.SetModelPolicy(project, "m", &ml.Policy{}))(t) // none is none's business
	if _, err := db.SetModelPolicy(project, "other", &ml.Policy{}); ml.KindOf(err) != ml.NotFound {
		t.Errorf("of no model: %v", err)
	}
	// Another model of the name begins without.
	must(db.DeleteModel(project, "m"))(t)
	must(db.CreateModel(project, &ml.Model{Name: "m"}))(t)
	equal(t, "of the next", must(db.ModelPolicy(project, "m"))(t).Etag, ml.EtagOfNone)
}
