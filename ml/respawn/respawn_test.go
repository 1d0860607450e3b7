package respawn

import (
	"reflect"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	var got []time.Duration
	d := time.Duration(0)
	for range 11 {
		d = Next(d, time.Second)
		got = append(got, d)
	}
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 30000 * ms, 30000 * ms}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
	if d = Next(d, time.Hour); d != 100*ms {
		t.Errorf("after a long life the pause is %s", d)
	}
}
