package rest

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth/ml"
)

func TestDecodeBytes(t *testing.T) {
	tests := []struct {
		name, body string
		want       string // the message, "" for success
		field      string
	}{
		{name: "OK", body: `{"jobId":"a"}`},
		{name: "Empty", body: ``},
		{name: "NullField", body: `{"trainingInput":null}`},
		{name: "OutputOnly", body: `{"jobId":"a","state":"RUNNING","createTime":"2024-01-02T03:04:05Z"}`},
		{name: "QuotedNumber", body: `{"trainingInput":{"scheduling":{"priority":"7"},"workerCount":"3"}}`},
		{name: "Unknown", body: `{"trainingInput":{"x":1}}`, field: "trainingInput",
			want: `Invalid JSON payload received. Unknown name "x" at 'trainingInput': Cannot find field.`},
		{name: "UnknownTop", body: `{"x":1}`,
			want: `Invalid JSON payload received. Unknown name "x": Cannot find field.`},
		{name: "WrongCase", body: `{"JobID":"a"}`,
			want: `Invalid JSON payload received. Unknown name "JobID": Cannot find field. Did you mean "jobId"?`},
		{name: "SnakeCase", body: `{"trainingInput":{"python_module":"a"}}`, field: "trainingInput",
			want: `Invalid JSON payload received. Unknown name "python_module" at 'trainingInput': Cannot find field. Did you mean "pythonModule"?`},
		{name: "Twice", body: `{"jobId":"a","jobId":"b"}`, field: "jobId",
			want: `Invalid JSON payload received. "jobId" is given twice.`},
		{name: "NumberForString", body: `{"jobId":1}`, field: "jobId", want: `Invalid value at 'jobId' (TYPE_STRING), 1`},
		{name: "StringForList", body: `{"trainingInput":{"args":"a"}}`, field: "trainingInput.args",
			want: `Invalid value at 'trainingInput.args' (list), "a"`},
		{name: "NumberInList", body: `{"trainingInput":{"args":["a", 2]}}`, field: "trainingInput.args[1]",
			want: `Invalid value at 'trainingInput.args[1]' (TYPE_STRING), 2`},
		{name: "NullInList", body: `{"trainingInput":{"args":["a", null]}}`, field: "trainingInput.args[1]",
			want: `Invalid value at 'trainingInput.args[1]' (TYPE_STRING), null`},
		{name: "WordForInt64", body: `{"trainingInput":{"workerCount":"three"}}`, field: "trainingInput.workerCount",
			want: `Invalid value at 'trainingInput.workerCount': "three" is not a 64-bit integer`},
		{name: "BoolForInt32", body: `{"trainingInput":{"scheduling":{"priority":true}}}`, field: "trainingInput.scheduling.priority",
			want: `Invalid value at 'trainingInput.scheduling.priority' (TYPE_INT32), true`},
		{name: "StringForBool", body: `{"trainingInput":{"enableWebAccess":"yes"}}`, field: "trainingInput.enableWebAccess",
			want: `Invalid value at 'trainingInput.enableWebAccess' (TYPE_BOOL), "yes"`},
		{name: "StringForObject", body: `{"trainingInput":"x"}`, field: "trainingInput",
			want: `Invalid value at 'trainingInput' (object), "x"`},
		{name: "BadDuration", body: `{"trainingInput":{"scheduling":{"maxRunningTime":"3 hours"}}}`, field: "trainingInput.scheduling.maxRunningTime",
			want: `Invalid value at 'trainingInput.scheduling.maxRunningTime': "3 hours" is not a duration such as "3.5s"`},
		{name: "BadTime", body: `{"createTime":"yesterday"}`, field: "createTime",
			want: `Invalid value at 'createTime': "yesterday" is not an RFC 3339 time`},
		{name: "NumberForLabel", body: `{"labels":{"a":1}}`, field: "labels.a", want: `Invalid value at 'labels.a' (TYPE_STRING), 1`},
		{name: "BadBase64", body: `{"etag":"*"}`, field: "etag", want: `Invalid value at 'etag' (TYPE_BYTES), Base64 decoding failed for "*"`},
		{name: "List", body: `[1]`, want: `Invalid JSON payload received. The payload must be an object, not [1]`},
		{name: "Truncated", body: `{"jobId":"a`, want: `Invalid JSON payload received. At byte 11: unexpected end of JSON input.`},
		{name: "Trailing", body: `{"jobId":"a"} x`, want: `Invalid JSON payload received. At byte 15: invalid character 'x' after top-level value.`},
		{name: "NotUTF8", body: "{\"jobId\":\"\xff\"}", want: `Invalid JSON payload received. The text is not valid UTF-8.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := DecodeBytes([]byte(tt.body), &ml.Job{})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatalf("no error, want %q", tt.want)
			}
			o := Object(err).Error
			if o.Code != 400 || o.Status != "INVALID_ARGUMENT" || o.Message != tt.want {
				t.Errorf("got %+v\nwant %q", o, tt.want)
			}
			if got := len(o.Details) > 0 && o.Details[0].FieldViolations[0].Field == tt.field; got != (tt.field != "") {
				t.Errorf("details %+v, want field %q", o.Details, tt.field)
			}
		})
	}
}

// What the strict decoder accepts it must read as encoding/json does.
func TestDecodeBytes_AgreesWithJSON(t *testing.T) {
	const body = `{"jobId":"a","labels":{"k":"v"},"etag":"+/8=","trainingInput":{
		"args":["x","é\n"],"workerCount":"9007199254740993","masterConfig":{"acceleratorConfig":{"count":2,"type":"T"},"diskConfig":{"a":[1,{}]}},
		"hyperparameters":{"goal":"MAXIMIZE"},"scheduling":{"maxRunningTime":"3.5s","priority":4},"useChiefInTfConfig":true},
		"trainingOutput":{"consumedMLUnits":0.25},"createTime":"2024-01-02T03:04:05.5+01:00"}`
	var got, want ml.Job
	if err := DecodeBytes([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, etag := range []string{`"-_8"`, `"-_8="`, `"+/8"`} {
		if err := DecodeBytes([]byte(`{"etag":`+etag+`}`), &got); err != nil || string(got.Etag) != "\xfb\xff" {
			t.Errorf("etag %s: %q, %v", etag, got.Etag, err)
		}
	}
}

func TestDecode_BodyLimit(t *testing.T) {
	body := `{"jobId":"` + strings.Repeat("a", 100) + `"}`
	for name, length := range map[string]int64{"Announced": int64(len(body)), "Chunked": -1} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.ContentLength = length
			err := Decode(r, &ml.Job{}, 50)
			if o := Object(err).Error; o.Code != 413 || o.Status != "INVALID_ARGUMENT" {
				t.Errorf("got %+v", o)
			}
		})
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	if err := Decode(r, &ml.Job{}, int64(len(body))); err != nil {
		t.Errorf("a body of exactly the limit: %v", err)
	}
}

func FuzzDecodeBytes(f *testing.F) {
	f.Add([]byte(`{"trainingInput":{"args":["a"],"workerCount":"3","scheduling":{"priority":1}}}`))
	f.Add([]byte(`{"labels":{"":""},"etag":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, lax ml.Job
		if DecodeBytes(body, &strict) != nil || len(body) == 0 {
			return
		}
		_ = json.Unmarshal(body, &lax)
		if strict.JobID != lax.JobID {
			t.Errorf("%q: jobId %q, encoding/json reads %q", body, strict.JobID, lax.JobID)
		}
	})
}
