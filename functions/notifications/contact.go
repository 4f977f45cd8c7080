package notifications

// Contact is how a person is addressed.
type Contact struct {
	UserID string
	Email  string
	Name   string
	// Revision is the version of the user that this is from; updates come in any
	// order.
	Revision int
	// Erased says that the person's data is gone, for good.
	Erased  bool
	Version int // as it was read; 0 for one that is not stored yet
}

// update takes up what is known of the person since a revision, unless more
// recent things are known. It reports whether that changed anything.
func (c *Contact) update(email, name string, revision int) bool {
	if c.Erased || revision <= c.Revision {
		return false
	}
	c.Email, c.Name, c.Revision = email, name, revision
	return true
}

// erase forgets the person and remembers that. It reports whether that changed
// anything.
func (c *Contact) erase() bool {
	if c.Erased {
		return false
	}
	c.Email, c.Name, c.Erased = "", "", true
	return true
}
