package secure

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
)

// File is a module within the calling process. Two files hold its keys: the device key at path.device (mode 0400), and
// at path (mode 0600) everything else, sealed under the device key. Each is replaced atomically and flushed, file and
// folder. Whatever destroys a key makes a new device key too, so that an older copy of the sealed file, say in a backup,
// cannot be opened with the device key of today; the backup must therefore leave path.device out. One process at a time:
// a lock on path.lock, which ends with the process, refuses a second.
//
// Between calls all keys lie in an arena (memory.go); within a call, copies and cipher schedules come and go on the heap,
// which only a build with GOEXPERIMENT=runtimesecret wipes.
type File struct {
	path    string
	options Options
	lock    *os.File
	witness *Witness // nil without
	memory  *arena
	turn    chan struct{} // one slot: who rewrites the files
	pin     chan struct{} // one slot: whose PIN is entered
	ended   context.Context
	end     context.CancelFunc

	mu       sync.Mutex
	inside   int           // calls under way
	idle     chan struct{} // closed when closed and inside is 0
	closed   bool
	warnings []string
	device   []byte // identity and device key; in the arena
	tickets  []byte // key of this run's tickets; in the arena
	protect  Protector
	keys     map[string][]byte // sealing keys; in the arena
	content  *content
	pools    map[string][]transaction // by keyName
	leases   map[uint64]*lease
	order    []uint64 // of leases, oldest first
	lastID   uint64
	pending  map[string]*loading // by set
	padKey   *padLoading         // nil: none waits
	owes     int                 // below 0: not known
}

var (
	_ Terminal   = (*File)(nil)
	_ Components = (*File)(nil)
)

// Options say how a module starts.
type Options struct {
	Path    string    // of the sealed file
	First   bool      // make what is not there
	Secret  []byte    // unlock secret, at least 12 bytes; empty: the device key's file alone opens the module
	Protect Protector // of the device key, in place of a secret: a TPM, a PKCS#11 token; nil: by Secret
	Witness string    // path of the witness's file; empty: none, and a folder put back from a backup is not noticed

	Production bool     // refuse published keys and the on-screen PIN
	Keypad     Keypad   // where PINs are entered; nil: ErrNoPad
	Pad        Pad      // or a pad that enciphers them itself, in a Keypad's place; the caller closes it, after the module
	OnScreen   string   // socket of the on-screen keypad, where Keypad is one
	Where      string   // what Status says of the process
	Weak       []string // sets whose acquirers may send less than a key block of version B, D or E

	// Event, where set, is told of what has to stand in an audit log. It must not block.
	Event func(Event)
}

// Event is one line for an audit log: what was done to which key, and by whom where somebody said so.
type Event struct {
	What   string `json:"what"`
	Set    string `json:"set,omitempty"`
	Use    string `json:"use,omitempty"`
	Holder string `json:"holder,omitempty"`
	Check  string `json:"check,omitempty"`
}

// OpenFile opens the keys at path. Both files must be there, plain files of the calling user that nobody else can read:
// else ErrFiles with the fix in the text. An unfinished replacement, left by a power cut, is finished or undone.
func OpenFile(path string) (*File, error) { return Start(context.Background(), Options{Path: path}) }

// CreateFile is OpenFile for a first start: it makes the sealed file, with no key in it, where there is none, and a device
// key where there is neither. A sealed file without its device key is refused, as by OpenFile: the key is lost, and what
// it sealed with it.
func CreateFile(path string) (*File, error) {
	return Start(context.Background(), Options{Path: path, First: true})
}

// Start opens a module. Errors: ErrFiles, ErrLocked, ErrDestroyed.
func Start(ctx context.Context, o Options) (f *File, err error) {
	switch {
	case o.Production && o.OnScreen != "":
		return nil, fmt.Errorf("on-screen PIN in production: %w", ErrRequest)
	case len(o.Secret) > 0 && (len(o.Secret) < minSecret || len(o.Secret) > maxSecret):
		return nil, fmt.Errorf("unlock secret of %d bytes, %d to %d are wanted: %w", len(o.Secret), minSecret, maxSecret, ErrRequest)
	}
	f = &File{
		path: o.Path, options: o, turn: make(chan struct{}, 1), pin: make(chan struct{}, 1), idle: make(chan struct{}),
		keys: map[string][]byte{}, pools: map[string][]transaction{}, leases: map[uint64]*lease{}, pending: map[string]*loading{}, owes: -1,
	}
	f.ended, f.end = context.WithCancel(context.Background())
	f.lastID = firstID()
	switch f.protect = o.Protect; {
	case f.protect != nil:
	case len(o.Secret) > 0:
		f.protect = &unlockSecret{secret: o.Secret}
	default:
		f.protect = deviceFile{}
	}
	defer func() {
		if err != nil {
			f.end()
			err = errors.Join(err, f.letGo())
			f = nil
		}
	}()
	if f.lock, err = lockFile(o.Path + ".lock"); err != nil {
		return f, err
	}
	if f.memory, err = newArena(); err != nil {
		return f, err
	}
	if f.tickets, err = f.memory.alloc(keyBytes); err != nil {
		return f, err
	}
	rand.Read(f.tickets)
	if o.Witness != "" {
		if f.witness, err = OpenWitness(o.Witness); err != nil {
			return f, err
		}
	}
	var fresh bool
	guarded(func() { fresh, err = f.read() })
	f.options.Secret = nil
	if err != nil {
		return f, err
	}
	if err := f.compare(ctx, fresh); err != nil {
		return f, err
	}
	if o.Pad != nil {
		o.Pad.Pair(f)
	}
	return f, nil
}

// read fills the arena from the files. fresh says that the module's content had to be made.
func (f *File) read() (fresh bool, err error) {
	if f.options.First {
		if err := create(f.path, f.protect); err != nil {
			return false, err
		}
	}
	all, err := loadWith(f.path, f.protect)
	if err != nil {
		return false, err
	}
	defer all.clear()
	if f.device, err = f.memory.keep(all.device); err != nil {
		return false, err
	}
	if s, ok := f.protect.(*unlockSecret); ok {
		if err := s.hold(f.memory); err != nil {
			return false, err
		}
	}
	for name, key := range all.keys {
		if f.keys[name], err = f.memory.keep(key); err != nil {
			return false, err
		}
	}
	if len(all.content) == 0 {
		f.content, err = newContent(f.memory)
		return true, err
	}
	if f.content, err = decodeContent(all.content, f.memory); err != nil {
		return false, fmt.Errorf("%w: %s: %w", ErrFiles, f.path, err)
	}
	return false, nil
}

// CreateKey is Module's.
func (f *File) CreateKey(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	if f.has(name) {
		return nil
	}
	keys := f.sealingKeys()
	if len(keys) >= maxKeys {
		return fmt.Errorf("%d keys: %w", len(keys), ErrFull)
	}
	key, err := f.memory.alloc(keyBytes)
	if err != nil {
		return err
	}
	rand.Read(key)
	keys[name] = key
	if err := f.save(keys, f.content, false); err != nil {
		f.memory.release(key)
		return fmt.Errorf("new key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = keys
	return nil
}

// DestroyKey is Module's.
func (f *File) DestroyKey(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	defer f.done()
	if !f.has(name) {
		return nil // it is not there: nothing to destroy
	}
	keys := f.sealingKeys()
	key := keys[name]
	delete(keys, name)
	if err := f.save(keys, f.content, true); err != nil {
		return fmt.Errorf("destroy a key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = keys
	f.memory.release(key)
	return nil
}

// Seal is Module's. The result is nonce, ciphertext and tag: 28 bytes longer than plain.
func (f *File) Seal(ctx context.Context, name string, associated, plain []byte) ([]byte, error) {
	if len(plain) > maxPlain {
		return nil, fmt.Errorf("%d bytes: %w", len(plain), ErrTooLong)
	}
	out := make([]byte, 0, len(plain)+nonceSize+tagSize)
	err := f.within(ctx, func() error {
		c, err := f.cipher(name)
		if err == nil {
			out = c.Seal(out, nil, plain, associated)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Open is Module's.
func (f *File) Open(ctx context.Context, name string, associated, sealed []byte) ([]byte, error) {
	if len(sealed) > maxPlain+nonceSize+tagSize {
		return nil, fmt.Errorf("%d bytes: %w", len(sealed), ErrForged)
	}
	out := make([]byte, 0, len(sealed))
	err := f.within(ctx, func() error {
		c, err := f.cipher(name)
		if err != nil {
			return err
		}
		if out, err = c.Open(out, nil, sealed, associated); err != nil {
			return ErrForged
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Token is Tokens'.
func (f *File) Token(ctx context.Context, pan PAN) ([]byte, error) {
	if !digits(string(pan), 8, 19) {
		return nil, ErrPAN
	}
	out := make([]byte, 0, sha256.Size)
	err := f.within(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		m := hmac.New(sha256.New, f.content.token)
		m.Write([]byte("tillway card token 1 " + string(pan)))
		out = m.Sum(out)
		return nil
	})
	return out, err
}

// Close ends a PIN entry, waits for the calls under way and wipes the keys; every later call returns ErrClosed.
func (f *File) Close() error {
	f.end()
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	if f.inside == 0 {
		close(f.idle)
	}
	for _, p := range f.pending {
		p.timer.Stop()
	}
	f.dropPadKey()
	f.mu.Unlock()
	<-f.idle
	return f.letGo()
}

func (f *File) letGo() error {
	var errs []error
	if f.memory != nil {
		errs = append(errs, f.memory.close())
	}
	if f.witness != nil {
		errs = append(errs, f.witness.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}

// enter begins a call; leave ends it. The arena stays while one is inside.
func (f *File) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if f.content != nil && f.content.destroyed {
		return ErrDestroyed
	}
	f.inside++
	return nil
}

func (f *File) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inside--; f.inside == 0 && f.closed {
		close(f.idle)
	}
}

// within runs what touches keys, and no file.
func (f *File) within(ctx context.Context, do func() error) (err error) {
	if err := f.enter(ctx); err != nil {
		return err
	}
	defer f.leave()
	guarded(func() { err = do() })
	return err
}

// begin is enter for what rewrites the files: one at a time.
func (f *File) begin(ctx context.Context) error {
	if err := f.enter(ctx); err != nil {
		return err
	}
	select {
	case f.turn <- struct{}{}:
		if f.content.destroyed { // while waiting
			f.done()
			return ErrDestroyed
		}
		return nil
	case <-ctx.Done():
		f.leave()
		return ctx.Err()
	}
}

func (f *File) done() {
	<-f.turn
	f.leave()
}

// save writes everything that the module shall hold from now on; who has the turn calls it. With anew, the device key is
// replaced, and no older copy of the sealed file opens any more.
func (f *File) save(keys map[string][]byte, c *content, anew bool) (err error) {
	guarded(func() {
		k := &keyring{device: slices.Clone(f.device), keys: keys, content: c.encode(), protect: f.protect}
		defer func() { clear(k.device); clear(k.content) }()
		if !anew {
			err = k.save(f.path)
			return
		}
		if err = k.rekey(f.path); err == nil || sealedBy(f.path, k.device) {
			copy(f.device, k.device)
		}
	})
	return err
}

func (f *File) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.keys[name]
	return ok
}

func (f *File) sealingKeys() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.keys)
}

func (f *File) cipher(name string) (cipher.AEAD, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key, ok := f.keys[name]
	if !ok {
		return nil, fmt.Errorf("key %q: %w", name, ErrNoKey)
	}
	return newCipher(key)
}

func (f *File) event(e Event) {
	if f.options.Event != nil {
		f.options.Event(e)
	}
}

func newCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// digits says whether s is that many decimal digits.
func digits(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
