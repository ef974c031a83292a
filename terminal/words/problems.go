package words

// problems are the titles and details of the till's problems.
func problems() []template { return nil }
