package ml

import "fmt"

// Resources is what a job leases or a host has. CPUs are whole processors,
// Memory is in bytes, GPUs are devices.
type Resources struct {
	CPUs   int   `json:"cpus"`
	Memory int64 `json:"memory"`
	GPUs   int   `json:"gpus"`
}

// Fits reports whether r can be taken out of free.
func (r Resources) Fits(free Resources) bool {
	return r.CPUs <= free.CPUs && r.Memory <= free.Memory && r.GPUs <= free.GPUs
}

// Plus adds o to r.
func (r Resources) Plus(o Resources) Resources {
	return Resources{r.CPUs + o.CPUs, r.Memory + o.Memory, r.GPUs + o.GPUs}
}

// Minus takes o from r.
func (r Resources) Minus(o Resources) Resources {
	return Resources{r.CPUs - o.CPUs, r.Memory - o.Memory, r.GPUs - o.GPUs}
}

// String says it for people, as in "2 CPUs, 4.0 GiB of memory, 1 GPU".
func (r Resources) String() string {
	return fmt.Sprintf("%d CPU%s, %.1f GiB of memory, %d GPU%s", r.CPUs, plural(r.CPUs), float64(r.Memory)/(1<<30), r.GPUs, plural(r.GPUs))
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
