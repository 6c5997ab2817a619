package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
)

// portsFree refuses addresses that another process listens on. Caddy notices
// most of them itself, but not another Caddy: two of them share a port, and a
// first quickstart that was forgotten would answer every other request.
func portsFree(ctx context.Context, config []byte) error {
	for _, listen := range listeners(config) {
		a, err := caddy.ParseNetworkAddress(caddy.NewReplacer().ReplaceKnown(listen, ""))
		if err != nil || !strings.HasPrefix(a.Network, "tcp") {
			continue
		}
		address := a.JoinHostPort(0)
		l, err := new(net.ListenConfig).Listen(ctx, a.Network, address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return taken(address)
		}
		if err == nil { // whatever else is wrong, Caddy tells
			_ = l.Close()
		}
	}
	return nil
}

// listeners returns the addresses of a configuration.
func listeners(config []byte) []string {
	var read struct {
		Admin struct {
			Disabled bool   `json:"disabled"`
			Listen   string `json:"listen"`
		} `json:"admin"`
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Listen []string `json:"listen"`
				} `json:"servers"`
			} `json:"http"`
		} `json:"apps"`
	}
	if json.Unmarshal(config, &read) != nil {
		return nil
	}
	var all []string
	for _, s := range read.Apps.HTTP.Servers {
		all = append(all, s.Listen...)
	}
	slices.Sort(all) // the same one is told each time
	switch {
	case read.Admin.Disabled:
	case read.Admin.Listen == "":
		all = append(all, caddy.DefaultAdminListen)
	default:
		all = append(all, read.Admin.Listen)
	}
	return all
}
