package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/certmagic"
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	defaultRealm  = "default"
	defaultConfig = "Caddyfile"
	// caddyfileAdapter is Caddy's name for its own format.
	caddyfileAdapter = "caddyfile"
	// commandWait is how long a call of a command waits for PostgreSQL. Nobody
	// waits for its answer as for that of a request, and a server that is busy
	// is no reason to fail.
	commandWait = 5 * time.Second
)

// place says which realm of which store a command works on.
type place struct{ config, adapter, realm string }

func (p *place) flags(f *pflag.FlagSet) {
	f.StringVarP(&p.config, "config", "c", "", "Configuration that names the store (default: the Caddyfile here, if there is one)")
	f.StringVarP(&p.adapter, "adapter", "a", "", "Name of the adapter of the configuration")
	f.StringVar(&p.realm, "realm", defaultRealm, "Protection space")
}

// check refuses what cannot be.
func (p *place) check() error {
	if p.adapter != "" && p.config == "" {
		return usagef("--adapter needs --config beside it")
	}
	if err := checkRealm(p.realm); err != nil {
		return badUsage{err}
	}
	return nil
}

// open opens the store, beside a gateway that may have it open too. What is
// changed reaches that gateway through the change feed. done closes it.
func (p *place) open(ctx context.Context) (a *admin.Admin, done func() error, err error) {
	s, err := loadSetup(p.config, p.adapter)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.app.openStore(ctx)
	if err != nil {
		return nil, nil, err
	}
	hasher := password.New(password.Options{})
	return &admin.Admin{Store: rows, Hasher: hasher, Now: time.Now, Realm: p.realm, Ring: s.ring}, rows.Close, nil
}

// openStore opens the store of a configuration that is not running.
func (a *App) openStore(ctx context.Context) (store.Store, error) {
	at, err := a.resolved()
	if err != nil {
		return store.Store{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	o := sqlstore.Options{Now: time.Now, Wait: commandWait}
	return at.open(ctx, o, func(string) {}) // the gateway says so at its start
}

// resolved is where a configuration that is not running has everything kept.
func (a *App) resolved() (storage, error) { return a.storage(caddy.NewReplacer()) }

// noStore says that a file is not there, which a gateway or command would make.
func noStore(file string) error {
	return fmt.Errorf("there is no store %s: the gateway has not run with this configuration, or as another user", file)
}

// setup is what a configuration that is not running says of where things are
// kept.
type setup struct {
	app *App
	// StorageRaw is Caddy's own storage; nil for the default.
	StorageRaw json.RawMessage `caddy:"namespace=caddy.storage inline_key=module"`
}

// loadSetup returns the setup of a configuration, and one with all defaults
// where none is named and none is here, or where it says nothing of the app. It
// does what Caddy does to find and read a configuration, but logs nothing: a
// command of one line prints its result and nothing else.
func loadSetup(config, adapter string) (*setup, error) {
	s := &setup{app: new(App)}
	body, config, err := readConfig(config)
	if err != nil || body == nil {
		return s, err
	}
	if body, err = adaptConfig(config, adapter, body); err != nil {
		return nil, err
	}
	var found struct {
		Storage json.RawMessage `json:"storage"`
		Apps    struct {
			Gatehouse json.RawMessage `json:"gatehouse"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, fmt.Errorf("%s is no JSON that Caddy could read: %w", config, err)
	}
	s.StorageRaw = found.Storage
	if found.Apps.Gatehouse == nil {
		return s, nil
	}
	if err := caddy.StrictUnmarshalJSON(found.Apps.Gatehouse, s.app); err != nil {
		return nil, fmt.Errorf("the app gatehouse in %s: %w", config, err)
	}
	return s, s.app.check()
}

// ring opens the key ring that a gateway with this configuration has, and makes
// it where that gateway has not run yet.
func (s *setup) ring(ctx context.Context) (*token.Ring, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if len(s.app.KeyRing) > 0 {
		ring, _, err := readRing(caddy.NewReplacer(), s.app.KeyRing)
		return ring, err
	}
	storage, done, err := s.storage(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return ringIn(ctx, storage)
}

// storage returns Caddy's own storage of a configuration; done lets go of it.
func (s *setup) storage(ctx context.Context) (storage certmagic.Storage, done func(), err error) {
	if s.StorageRaw == nil {
		return caddy.DefaultStorage, func() {}, nil
	}
	modules, done := caddy.NewContext(caddy.Context{Context: ctx})
	loaded, err := modules.LoadModule(s, "StorageRaw")
	if err == nil {
		storage, err = loaded.(caddy.StorageConverter).CertMagicStorage()
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("the storage of Caddy, which keeps the key ring, cannot be used: %w", err)
	}
	return storage, done, nil
}

// readConfig returns the text of a configuration, nil for none, and its name.
func readConfig(name string) ([]byte, string, error) {
	named := name != ""
	if !named {
		name = defaultConfig
	}
	body, err := os.ReadFile(name)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, name, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return body, name, nil
}

// adaptConfig returns a configuration as JSON.
func adaptConfig(config, adapter string, body []byte) ([]byte, error) {
	if adapter == "" && isCaddyfile(config) {
		adapter = caddyfileAdapter
	}
	if adapter == "" {
		return body, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, usagef("there is no adapter %q", adapter)
	}
	body, _, err := a.Adapt(body, map[string]any{"filename": config})
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be used: %w", err)
	}
	return body, nil
}

// isCaddyfile tells a Caddyfile by its name, as Caddy does.
func isCaddyfile(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	if filepath.Ext(base) == ".json" {
		return false
	}
	return strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile")
}
