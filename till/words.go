package till

import (
	"net/http"

	"tillway/terminal"
)

// Words is the answer to GET /v1/words: the prompts in both languages, with the name of the sound that goes with each. A display
// takes it once; a prompt's id in a snapshot names its row.
type Words struct {
	Prompts []terminal.PromptText `json:"prompts"`
}

// words gives the catalogue to anybody: there is nothing of a sale in it.
func (h *handler) words(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, http.StatusOK, Words{terminal.Prompts()})
}
