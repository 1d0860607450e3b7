package lineage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hearth/ml"
)

// Read gives what a job, named PROJECT.JOB, has read and written until now. Of
// a job that used nothing, or that there never was, both are empty.
func (r *Recorder) Read(job string) (ml.Lineage, error) {
	r.Flush()
	found := ml.Lineage{Reads: []ml.LineageObject{}, Writes: []ml.LineageObject{}}
	sums, err := readSums(r.path(job))
	if err != nil {
		return found, fmt.Errorf("read lineage: %w", err)
	}
	for u, s := range sums {
		list := &found.Reads
		if u.write {
			list = &found.Writes
		}
		*list = append(*list, ml.LineageObject{
			Bucket: u.bucket, Name: u.name, Generation: ml.Int64(u.generation), Bytes: ml.Int64(s.bytes), Time: ml.At(s.last),
		})
	}
	slices.SortFunc(found.Reads, compare)
	slices.SortFunc(found.Writes, compare)
	return found, nil
}

func compare(a, b ml.LineageObject) int {
	return cmp.Or(strings.Compare(a.Bucket, b.Bucket), strings.Compare(a.Name, b.Name), cmp.Compare(a.Generation, b.Generation))
}
