package tensor

import (
	"fmt"
	"strings"
	"testing"
)

// A bad line leaves the good ones as they were, wherever it goes wrong.
func TestRows_Add(t *testing.T) {
	for name, c := range map[string]struct {
		signature *Signature
		lines     []string
		good      string
		shape     string
	}{
		"numbers":           {sig(anyShape("x", Float32)), []string{"1", "x", "2.5", "[1]", " 3 ", "4,5", "", "1e"}, "0 2 4", "map[x:[3]]"},
		"across lines":      {sig(anyShape("x", Float32)), []string{"[1", ",2]", "[3,4]", "[3,[4]]", "[5]"}, "2", "map[x:[1 2]]"},
		"first is bad":      {sig(anyShape("x", Int32)), []string{"[[1,2],[3]]", "[[1,2,3]]", "[[4,5,6]]"}, "1 2", "map[x:[2 1 3]]"},
		"several inputs":    {sig(anyShape("a", Bool), anyShape("b", Int16)), []string{`{"a":true,"b":1}`, `{"a":true}`, `{"b":1,"a":1}`, `{"b":2,"a":false}`, `{"a":true,"b":1,"c":1}`, `{"a":true,"b":1} x`}, "0 3", "map[a:[2] b:[2]]"},
		"an absent input":   {sig(anyShape("a", Bool), anyShape("b", Int16)), []string{`{"a":true}`, `{"a":false}`, `{"a":true,"b":1}`}, "0 1", "map[a:[2]]"},
		"more than a value": {sig(anyShape("x", Float32)), []string{"1, 2", "1] }", "7"}, "2", "map[x:[1]]"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := NewRows(c.signature)
			if err != nil {
				t.Fatal(err)
			}
			text := []byte(strings.Join(c.lines, "\n") + "\n")
			for range 2 { // again, with the room of the first time
				rows.Reset()
				var good []string
				at := 0
				for i, line := range c.lines {
					if rows.Add(text, at, at+len(line)) == nil {
						good = append(good, fmt.Sprint(i))
					}
					at += len(line) + 1
				}
				in, err := rows.Inputs()
				if err != nil {
					t.Fatal(err)
				}
				shapes := map[string][]int64{}
				for name, tensor := range in {
					shapes[name] = tensor.Shape
				}
				if strings.Join(good, " ") != c.good || fmt.Sprint(shapes) != c.shape || rows.Len() != len(good) {
					t.Errorf("lines %v are good, shapes %v", good, shapes)
				}
			}
		})
	}
}

func TestAppendCSV(t *testing.T) {
	s := &Signature{Outputs: map[string]Spec{"b": {}, "a": {}, "c_bytes": {}}}
	out := []*Tensor{
		{DType: String, Shape: []int64{2}, Strings: [][]byte{[]byte(`say "x", y`), []byte("plain")}},
		{DType: Int8, Shape: []int64{2, 2}, Data: []byte{1, 2, 3, 4}},
		{DType: String, Shape: []int64{2}, Strings: [][]byte{[]byte("a"), nil}},
	}
	got, err := AppendCSV(nil, s, out, 2)
	want := `"say ""x"", y","[1, 2]","{""b64"": ""YQ==""}"` + "\n" + `plain,"[3, 4]","{""b64"": """"}"` + "\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := AppendLines(nil, s, out, 3); err == nil {
		t.Error("two rows pass for three")
	}
}
