package metadata

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"testing"

	"hearth/ml"
)

func TestDB_PageToken(t *testing.T) {
	db := openTest(t)
	for i := range 3 {
		must(db.SubmitJob(project, trainingJob(fmt.Sprintf("j%d", i))))(t)
		must(db.CreateModel(project, &ml.Model{Name: fmt.Sprintf("m%d", i)}))(t)
	}
	_, jobs, err := db.Jobs(project, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	_, models, err := db.Models(project, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"Garbage":       "%%%",
		"NotOurs":       base64.RawURLEncoding.EncodeToString([]byte("something")),
		"OtherListing":  models,
		"Cut":           jobs[:len(jobs)/2],
		"OtherProject":  base64.RawURLEncoding.EncodeToString([]byte("jobs\x00other/12345678")),
		"OtherPrefix":   base64.RawURLEncoding.EncodeToString([]byte("jobs\x00hearth2/12345678")),
		"NoKey":         base64.RawURLEncoding.EncodeToString([]byte("jobs\x00")),
		"WithoutPrefix": base64.RawURLEncoding.EncodeToString([]byte("jobs\x00hearth")),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			got, next, err := db.Jobs(project, 1, token)
			wantError(t, err, ml.InvalidArgument, "The page token is not one that this listing returned.")
			if got != nil || next != "" {
				t.Errorf("returned %v, %q", got, next)
			}
		})
	}
	t.Run("NegativeSize", func(t *testing.T) {
		_, _, err := db.Jobs(project, -1, "")
		wantError(t, err, ml.InvalidArgument, "The page size must not be negative.")
	})
}

func FuzzNewPage(f *testing.F) {
	f.Add("", 0)
	f.Add(pageToken(bucketJobs, numbered("hearth", 7)), 3)
	f.Add("am9icwBoZWFydGgv", 1000)
	f.Fuzz(func(t *testing.T, token string, size int) {
		p, err := newPage(bucketJobs, "hearth", size, token)
		if err != nil {
			if ml.KindOf(err) != ml.InvalidArgument {
				t.Errorf("error is %v", err)
			}
			return
		}
		if p.size < 1 || p.size > maxPageSize {
			t.Errorf("page size is %d", p.size)
		}
		if p.after != nil && !bytes.HasPrefix(p.after, p.prefix) {
			t.Errorf("a page of %q goes on after %q", p.prefix, p.after)
		}
	})
}
