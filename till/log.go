package till

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"tillway/terminal/people"
	"tillway/till/logbook"
)

// LogState is the answer to GET and POST /v1/log.
type LogState struct {
	Level string      `json:"level"`         // the config's, to which everything falls back: debug, info, warn or error
	Areas []AreaLevel `json:"areas"`         // what is logged now, area by area
	Set   []LevelSet  `json:"set,omitempty"` // what somebody has set, and holds
}

// AreaLevel is the level of one part of the terminal.
type AreaLevel struct {
	Area  string `json:"area"` // card, host, keys, printer, reader, store or till; "other" is what belongs to none
	Level string `json:"level"`
}

// LevelSet is a level that somebody has set.
type LevelSet struct {
	Area  string    `json:"area,omitempty"` // absent: all
	Level string    `json:"level"`
	Until time.Time `json:"until"` // then it falls back by itself
}

// LogLevel is the body of POST /v1/log.
type LogLevel struct {
	Level   string `json:"level"`             // debug, info, warn, error; "config" takes back at once whatever was set
	Area    string `json:"area,omitempty"`    // one area alone; absent: all
	Seconds int    `json:"seconds,omitempty"` // how long it holds, at most a day; absent: ten minutes
}

const logShape = `{"level":"debug"}, with "area":"host" for one area and "seconds":600 for how long; {"level":"config"} takes back what was set`

// otherArea is what has no area.
const otherArea = "other"

func (h *handler) logState(w http.ResponseWriter, r *http.Request) {
	if h.cfg.Logbook == nil {
		h.fail(w, r, errNoLogbook())
		return
	}
	h.answer(w, http.StatusOK, h.logWords(h.cfg.Logbook.State()))
}

func errNoLogbook() error {
	return request(http.StatusConflict, "no_log", "This terminal's log cannot be changed while it runs", "Change [log] level in posd.toml, and start posd again.", "it was put together without a log book")
}

// setLog sets a level. It is in the audit log before it holds.
func (h *handler) setLog(w http.ResponseWriter, r *http.Request) {
	var in LogLevel
	err := readBody(w, r, logShape, &in)
	if err == nil && h.cfg.Logbook == nil {
		err = errNoLogbook()
	}
	var level slog.Level
	hold := logbook.DefaultFor
	if err == nil {
		level, hold, err = in.check()
	}
	if err == nil {
		err = h.cfg.Access.Audit(r.Context(), people.Entry{Actor: h.cfg.Access.who(r).name, Event: people.EventLog, Result: people.Done, Note: in.note(hold)})
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if in.Level == "config" {
		h.answer(w, http.StatusOK, h.logWords(h.cfg.Logbook.Reset()))
		return
	}
	state, err := h.cfg.Logbook.Set(in.Area, level, hold)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.cfg.Log.Info("the log's level was set", "by", h.cfg.Access.who(r).name, "level", in.Level, "of", in.of(), "for", hold.String())
	h.answer(w, http.StatusOK, h.logWords(state))
}

func (in LogLevel) of() string {
	if in.Area == "" {
		return "all"
	}
	return in.Area
}

func (in LogLevel) note(hold time.Duration) string {
	if in.Level == "config" {
		return "the log's levels are the config's again"
	}
	return people.Note("the log of %s at %s for %s", in.of(), in.Level, hold)
}

// check reads a body's members.
func (in LogLevel) check() (level slog.Level, hold time.Duration, err error) {
	bad := func(format string, args ...any) error {
		return request(http.StatusBadRequest, "bad_level", "The level cannot be set so", "Send "+logShape+".", format, args...)
	}
	hold = logbook.DefaultFor
	if in.Seconds != 0 {
		hold = time.Duration(in.Seconds) * time.Second
	}
	switch {
	case in.Level == "config" && in.Area == "" && in.Seconds == 0:
		return 0, hold, nil
	case in.Level == "config":
		return 0, hold, bad("config stands alone")
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, in.Level):
		return 0, hold, bad("%.20q: debug, info, warn, error or config", in.Level)
	case in.Area != "" && !slices.Contains(logbook.Areas(), in.Area):
		return 0, hold, bad("%.20q is no area: %s", in.Area, strings.Join(logbook.Areas(), ", "))
	case in.Seconds < 0 || hold > logbook.LongestFor:
		return 0, hold, bad("a level holds for a second to a day")
	}
	if uerr := level.UnmarshalText([]byte(in.Level)); uerr != nil {
		return 0, hold, errors.Join(bad("%.20q", in.Level), uerr)
	}
	return level, hold, nil
}

// logWords is a state in the interface's words.
func (h *handler) logWords(s logbook.State) LogState {
	out := LogState{Level: levelWord(s.Level)}
	for _, area := range append(logbook.Areas(), "") {
		name := area
		if name == "" {
			name = otherArea
		}
		out.Areas = append(out.Areas, AreaLevel{name, levelWord(s.Now[area])})
	}
	for _, o := range s.Overrides {
		out.Set = append(out.Set, LevelSet{o.Area, levelWord(o.Level), h.local(o.Until)})
	}
	return out
}

func levelWord(l slog.Level) string { return strings.ToLower(fmt.Sprint(l)) }
