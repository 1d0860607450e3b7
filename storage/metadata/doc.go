// Package metadata is Hearth's memory: jobs and their attempts, models,
// versions and operations, in one bbolt file, hearth.db.
//
// It knows the vocabulary of ml and which transitions are legal, and nothing
// of processes, devices or HTTP. A public method is one transaction: what it
// returns has been synced to disk, and what it refuses has changed nothing.
// Errors that a user may see are [ml.Error]; all others mean that the file
// could not be read or written.
//
// Values are returned as copies; changing them changes nothing here. One
// process at a time may hold the file.
//
// Caveats: bbolt reuses no page that an open read transaction can see, so no
// method calls out while it is in one. A job is never deleted.
package metadata
