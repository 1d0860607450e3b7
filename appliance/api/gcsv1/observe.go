package gcsv1

import "hearth/storage/object"

// Access is one object that was read or written, and how much of it: for a read
// the bytes that really went to the client, or into a copy.
type Access struct {
	Bucket, Name      string
	Generation, Bytes int64
	Write             bool
}

func (c *call) observeRead(o *object.Object, bytes int64) {
	if c.Observe != nil {
		c.Observe(c.r, c.who(), Access{o.Bucket, o.Name, o.Generation, bytes, false})
	}
}

func (c *call) observeWrite(o *object.Object) {
	if c.Observe != nil {
		c.Observe(c.r, c.who(), Access{o.Bucket, o.Name, o.Generation, o.Size, true})
	}
}

// who is the sender, or the one who began the upload if nobody knows the sender.
func (c *call) who() string {
	if by := c.Who(c.r); by != "" {
		return by
	}
	return c.began
}
