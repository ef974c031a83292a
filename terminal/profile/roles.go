package profile

import (
	"time"

	"tillway/terminal/people"
)

// roles is the table of who may do what. Every key may be missing: without the table the terminal is closed, with the
// default lists.
type roles struct {
	Open    any `toml:"open"`
	Idle    any `toml:"session_idle"`
	Longest any `toml:"session_max"`

	Status any `toml:"status"`
	Test   any `toml:"selftest"`
	Sell   any `toml:"sale"`
	Cancel any `toml:"cancel"`

	Refund     any `toml:"refund"`
	RefundFree any `toml:"unreferenced_refund"`
	Void       any `toml:"void"`
	Preauth    any `toml:"preauth"`
	Increment  any `toml:"increment"`
	Completion any `toml:"completion"`
	Balance    any `toml:"balance"`
	Forced     any `toml:"forced"`

	Agree     any `toml:"signature"`
	Receipt   any `toml:"receipt"`
	Journal   any `toml:"journal"`
	Queue     any `toml:"queue"`
	Send      any `toml:"send"`
	WriteOff  any `toml:"write_off"`
	Report    any `toml:"report"`
	Settle    any `toml:"settle"`
	Print     any `toml:"print"`
	Drawer    any `toml:"drawer"`
	Training  any `toml:"training"`
	Close     any `toml:"close_batch"`
	Keys      any `toml:"keys"`
	Provision any `toml:"provision"`
	Rollback  any `toml:"rollback"`
	Support   any `toml:"support"`
	Users     any `toml:"users"`
	Audit     any `toml:"audit"`
	Backup    any `toml:"backup"`
}

func (c *checker) roles(r roles) people.Policy {
	p := people.DefaultPolicy()
	for _, row := range []struct {
		action people.Action
		value  any
	}{
		{people.Status, r.Status},
		{people.Test, r.Test},
		{people.Sell, r.Sell},
		{people.Refund, r.Refund},
		{people.RefundFree, r.RefundFree},
		{people.Void, r.Void},
		{people.Preauth, r.Preauth},
		{people.Increment, r.Increment},
		{people.Completion, r.Completion},
		{people.Balance, r.Balance},
		{people.Forced, r.Forced},
		{people.Cancel, r.Cancel},
		{people.Agree, r.Agree},
		{people.Receipt, r.Receipt},
		{people.Journal, r.Journal},
		{people.Queue, r.Queue},
		{people.Send, r.Send},
		{people.WriteOff, r.WriteOff},
		{people.Report, r.Report},
		{people.Settle, r.Settle},
		{people.Print, r.Print},
		{people.Drawer, r.Drawer},
		{people.Training, r.Training},
		{people.CloseBatch, r.Close},
		{people.Keys, r.Keys},
		{people.Support, r.Support},
		{people.Users, r.Users},
		{people.Provision, r.Provision},
		{people.Rollback, r.Rollback},
		{people.Audit, r.Audit},
		{people.Backup, r.Backup},
	} {
		if row.value == nil {
			continue
		}
		key := "roles." + string(row.action)
		var names []people.Role
		for _, name := range c.list(key, row.value) {
			names = append(names, people.Role(name))
		}
		changed, err := p.With(row.action, names)
		if err != nil {
			c.refuse(key, "%v", err)
		}
		p = changed
	}
	idle, longest := p.Idle, p.Longest
	if r.Idle != nil {
		idle = c.duration("roles.session_idle", r.Idle, time.Minute, time.Hour)
	}
	if r.Longest != nil {
		longest = c.duration("roles.session_max", r.Longest, time.Minute, 24*time.Hour)
	}
	timed, err := p.WithTimes(idle, longest)
	if err != nil {
		c.refuse("roles.session_max", "%v", err)
		return p
	}
	timed.Open = c.flag("roles.open", r.Open, false)
	return timed
}
