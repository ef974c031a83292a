package terminal

// Bounds of what a cash register may put on the customer's display.
const (
	MaxDisplayLines = 10
	MaxDisplayRunes = 64 // of a line
)

// DisplayLine is one line that a cash register shows its customer between two transactions: an item, a total. It is never kept.
type DisplayLine struct {
	Text     string `json:"text"`
	Language string `json:"language"` // "ar" where it has Arabic letters, else "en": the side it begins at
}
