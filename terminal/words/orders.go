package words

// orders are why an order was refused (package lane, behind "order refused").
func orders() []template { return nil }
