package ml

// Lineage is what a job has read and written in the bucket, each ordered by
// bucket, name and generation.
type Lineage struct {
	Reads  []LineageObject `json:"reads"`
	Writes []LineageObject `json:"writes"`
}

// LineageObject is one generation of an object that a job has used. Bytes is
// how many went through, over all accesses; Time is that of the last.
type LineageObject struct {
	Bucket     string    `json:"bucket"`
	Name       string    `json:"name"`
	Generation Int64     `json:"generation"`
	Bytes      Int64     `json:"bytes"`
	Time       Timestamp `json:"time"`
}
