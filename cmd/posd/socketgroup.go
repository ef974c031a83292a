package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// shareSocket gives the local socket to a group, where one is named. What its members may do there, the roles say.
func shareSocket(path, group string) error {
	if group == "" {
		return nil
	}
	gid, err := strconv.ParseUint(group, 10, 31)
	if err != nil {
		g, lookup := user.LookupGroup(group)
		if lookup != nil {
			return fmt.Errorf("socket_group: %w: make it, or take the key out", lookup)
		}
		if gid, err = strconv.ParseUint(g.Gid, 10, 31); err != nil {
			return fmt.Errorf("socket_group: %w", err)
		}
	}
	if err := os.Chown(path, -1, int(gid)); err != nil {
		return fmt.Errorf("socket_group: %w: posd's user has to be in group %s", err, group)
	}
	if err := os.Chmod(path, 0o660); err != nil { //nolint:gosec // that its group may is what the key is for
		return fmt.Errorf("socket_group: %w", err)
	}
	return nil
}
