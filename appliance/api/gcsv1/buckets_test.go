package gcsv1

import (
	"strings"
	"testing"
)

func TestBucket_Update(t *testing.T) {
	c := newClient(t, nil)
	c.do("POST", "/storage/v1/b?project=p&predefinedAcl=private&projection=full", `{"name":"models","location":"eu","labels":{"a":"1","b":"2"},
		"iamConfiguration":{"uniformBucketLevelAccess":{"enabled":true},"publicAccessPrevention":"inherited"},
		"hierarchicalNamespace":{"enabled":false},"versioning":{"enabled":false},"lifecycle":{"rule":[]},
		"cors":[{"maxAgeSeconds":12345678901234567890}],"rpo":"DEFAULT","acl":[{"entity":"allUsers"}],"timeCreated":"never"}`).want(200)
	const kept = "/storage/v1/b/models?fields=location,storageClass,labels,iamConfiguration,cors,rpo,acl,metageneration,website,hierarchicalNamespace"
	for _, step := range []struct{ method, body, want string }{
		{"GET", "", `{"location":"EU","storageClass":"STANDARD","metageneration":"1","labels":{"a":"1","b":"2"},"rpo":"DEFAULT","cors":[{"maxAgeSeconds":12345678901234567890}],
			"iamConfiguration":{"uniformBucketLevelAccess":{"enabled":true},"publicAccessPrevention":"inherited"},"hierarchicalNamespace":{"enabled":false}}`},
		{"PATCH", `{"labels":{"a":null,"c":"3"},"iamConfiguration":{"publicAccessPrevention":"enforced"},"cors":null,"rpo":null,"storageClass":"NEARLINE","hierarchicalNamespace":null}`,
			`{"location":"EU","storageClass":"NEARLINE","metageneration":"2","labels":{"b":"2","c":"3"},
			"iamConfiguration":{"uniformBucketLevelAccess":{"enabled":true},"publicAccessPrevention":"enforced"}}`},
		{"PATCH", `{"labels":null,"location":"eu","name":"models"}`, `{"location":"EU","storageClass":"NEARLINE","metageneration":"3",
			"iamConfiguration":{"uniformBucketLevelAccess":{"enabled":true},"publicAccessPrevention":"enforced"}}`},
		{"PUT", `{"labels":{"z":"1"},"website":{"mainPageSuffix":"i"}}`, `{"location":"EU","storageClass":"STANDARD","metageneration":"4","labels":{"z":"1"},"website":{"mainPageSuffix":"i"}}`},
	} {
		c.do(step.method, kept, step.body).want(200).wantJSON(step.want)
	}
	for _, body := range []string{`{"location":"US"}`, `{"labels":{"a":1}}`, `{"labels":"x"}`, `{"storageClass":"FAST"}`, `{"storageClass":1}`, `{"versioning":7}`,
		`{"cors":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20) + "}"} {
		c.do("PATCH", "/storage/v1/b/models", body).wantError(400, "invalid")
	}
	c.do("PATCH", "/storage/v1/b/models", "[]").wantError(400, "parseError")
	c.do("PATCH", "/storage/v1/b/none-such", "{}").wantError(404, "notFound")
	c.do("GET", kept, "").want(200).wantJSON(`{"location":"EU","storageClass":"STANDARD","metageneration":"4","labels":{"z":"1"},"website":{"mainPageSuffix":"i"}}`)
}

func TestBucket_Refused(t *testing.T) {
	c := newClient(t, nil)
	for _, field := range []string{
		`"versioning":{"enabled":true}`, `"lifecycle":{"rule":[{"action":{"type":"Delete"}}]}`, `"retentionPolicy":{"retentionPeriod":"1"}`,
		`"defaultEventBasedHold":true`, `"billing":{"requesterPays":true}`, `"hierarchicalNamespace":{"enabled":true}`, `"objectRetention":{"mode":"Enabled"}`,
		`"ipFilter":{"mode":"Enabled"}`,
	} {
		c.do("POST", "/storage/v1/b", `{"name":"models",`+field+`}`).wantError(501, "notImplemented")
		c.do("PATCH", "/storage/v1/b/data", `{`+field+`}`).wantError(501, "notImplemented")
		c.do("PUT", "/storage/v1/b/data", `{`+field+`}`).wantError(501, "notImplemented")
	}
	c.do("POST", "/storage/v1/b?enableObjectRetention=true", `{"name":"models"}`).wantError(501, "notImplemented")
	c.do("GET", "/storage/v1/b/models", "").wantError(404, "notFound")
	c.do("GET", "/storage/v1/b/data?softDeleted=true&generation=1", "").wantError(501, "notImplemented")
	c.do("GET", "/storage/v1/b?softDeleted=true", "").wantError(501, "notImplemented")
	c.do("PATCH", "/storage/v1/b/data", `{"versioning":null,"retentionPolicy":null,"defaultEventBasedHold":false,"lifecycle":null}`).want(200)
}
