package loggingv2

import (
	"cmp"
	"slices"
	"time"

	"hearth/storage/logs"
)

// resourceTypes are what a job is called as a monitored resource: today's name
// first.
var resourceTypes = []string{"ml_job", "cloudml_job"}

// matches reports whether the filter lets an entry of a job through.
func (t *term) matches(job string, e *logs.Entry) bool {
	part := func(p *term) bool { return p.matches(job, e) }
	switch {
	case t.all != nil:
		return !slices.ContainsFunc(t.all, func(p *term) bool { return !part(p) })
	case t.any != nil:
		return slices.ContainsFunc(t.any, part)
	}
	switch t.field {
	case fieldType:
		return slices.Contains(resourceTypes, t.value)
	case fieldJob:
		return t.value == job
	case fieldTimestamp:
		return holds(t.op, e.Time.Compare(t.time))
	case fieldInsertID:
		return holds(t.op, cmp.Compare(e.InsertID, t.value))
	}
	return t.value == e.Task
}

// holds reports whether a comparison with this result is what op asks for.
func holds(op string, result int) bool {
	switch op {
	case "<":
		return result < 0
	case "<=":
		return result <= 0
	case ">":
		return result > 0
	case ">=":
		return result >= 0
	}
	return result == 0
}

// only gives the one value that a field must have for an entry to match, or ""
// if the filter does not say.
func (t *term) only(fields ...string) string {
	switch {
	case t.all != nil:
		for _, p := range t.all {
			if v := p.only(fields...); v != "" {
				return v
			}
		}
		return ""
	case t.any != nil:
		v := t.any[0].only(fields...)
		for _, p := range t.any[1:] {
			if p.only(fields...) != v {
				return ""
			}
		}
		return v
	case slices.Contains(fields, t.field):
		return t.value
	}
	return ""
}

// from gives a time before which no entry matches, zero if there is none.
func (t *term) from() time.Time {
	switch {
	case t.all != nil:
		return slices.MaxFunc(mapTimes(t.all, (*term).from), time.Time.Compare)
	case t.any != nil:
		return slices.MinFunc(mapTimes(t.any, (*term).from), time.Time.Compare)
	case t.field == fieldTimestamp && (t.op == ">" || t.op == ">=" || t.op == "="):
		return t.time
	}
	return time.Time{}
}

// endOfTime is later than any entry.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// before gives a time at and after which no entry matches, endOfTime if there
// is none.
func (t *term) before() time.Time {
	switch {
	case t.all != nil:
		return slices.MinFunc(mapTimes(t.all, (*term).before), time.Time.Compare)
	case t.any != nil:
		return slices.MaxFunc(mapTimes(t.any, (*term).before), time.Time.Compare)
	case t.field == fieldTimestamp && t.op == "<":
		return t.time
	case t.field == fieldTimestamp && (t.op == "<=" || t.op == "="):
		return t.time.Add(1)
	}
	return endOfTime
}

func mapTimes(terms []*term, f func(*term) time.Time) []time.Time {
	times := make([]time.Time, len(terms))
	for i, t := range terms {
		times[i] = f(t)
	}
	return times
}
