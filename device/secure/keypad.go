package secure

import (
	"context"
	"sync"
)

// Prompt is what a keypad shows while it waits for a PIN.
type Prompt struct {
	Amount   string `json:"amount"`
	Retry    bool   `json:"retry"`             // the PIN before was wrong
	Tries    int    `json:"tries"`             // tries left; below 0: not known
	Min      int    `json:"min"`               // digits
	Max      int    `json:"max"`               // digits
	Bypass   bool   `json:"bypass"`            // allowed
	Insecure string `json:"warning,omitempty"` // why this is no place for a customer's PIN
}

// The keys of a keypad that are not digits.
const (
	KeyEnter  byte = '\r'
	KeyClear  byte = 0x08 // takes one digit back
	KeyCancel byte = 0x1b
	KeyBypass byte = 'b'
)

// Keypad gives the keys that a person presses, one by one, so that no PIN is ever a string. The module counts, checks and
// enciphers; the keypad knows nothing.
type Keypad interface {
	// Open shows the prompt and waits until somebody is at the keys.
	Open(ctx context.Context, p Prompt) (Keystrokes, error)
}

// Keystrokes are one entry's.
type Keystrokes interface {
	// Key waits for the next key: a digit or one of the constants. Anything else is ignored. io.EOF: whoever was at the
	// keys has gone, which cancels.
	Key(ctx context.Context) (byte, error)

	// Close takes the prompt away and says how the entry ended. The status is 0 when it failed.
	Close(PINStatus) error
}

// Typed is a keypad for tests and simulations: each entry takes the next text, key by key, like "1234\r". With no text
// left nobody comes, and the entry times out.
type Typed struct {
	mu      sync.Mutex
	texts   []string
	prompts []Prompt
}

// NewTyped is a keypad at which these texts are typed.
func NewTyped(texts ...string) *Typed { return &Typed{texts: texts} }

// Type adds a text.
func (t *Typed) Type(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts = append(t.texts, text)
}

// Prompts are all that were shown.
func (t *Typed) Prompts() []Prompt {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Prompt(nil), t.prompts...)
}

// Open is Keypad's.
func (t *Typed) Open(ctx context.Context, p Prompt) (Keystrokes, error) {
	t.mu.Lock()
	t.prompts = append(t.prompts, p)
	if len(t.texts) == 0 {
		t.mu.Unlock()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	text := t.texts[0]
	t.texts = t.texts[1:]
	t.mu.Unlock()
	return &typedKeys{text: text}, nil
}

type typedKeys struct{ text string }

// Key is Keystrokes's. After the text nothing is pressed any more.
func (t *typedKeys) Key(ctx context.Context) (byte, error) {
	if t.text == "" {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	k := t.text[0]
	t.text = t.text[1:]
	return k, nil
}

// Close is Keystrokes's.
func (t *typedKeys) Close(PINStatus) error { return nil }
