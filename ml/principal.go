package ml

// Principal is who asks: the owner of the installation, or a job with its own
// credentials. The zero value is nobody.
type Principal struct {
	// Owner is true for the bearer of the owner's token.
	Owner bool
	// Project and Job name the job whose credentials were shown.
	Project, Job string
}

// String names the principal as IAM members do.
func (p Principal) String() string {
	switch {
	case p.Owner:
		return "user:owner"
	case p.Job != "":
		return "serviceAccount:job-" + p.Job
	}
	return "allUsers"
}

// IsJob reports whether a job asks.
func (p Principal) IsJob() bool { return p.Job != "" }
