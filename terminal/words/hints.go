package words

// hints are what a problem says to do.
func hints() []template { return nil }
