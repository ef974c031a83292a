package till

import (
	_ "embed"
	"net/http"
)

// description is the interface's description, OpenAPI 3.1: every route, member and error. A test makes it of the route table, the types
// and their comments, and holds it to what a handler answers: go test ./till -run TestOpenAPI -update writes it anew.
//
//go:embed openapi.json
var description []byte

// openAPI gives the description to anybody: it says nothing about this terminal.
func (h *handler) openAPI(w http.ResponseWriter, _ *http.Request) {
	h.text(w, http.StatusOK, "application/json", description)
}
