package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store/reach"
)

// oldest is the first major version whose scripts say what they do.
const oldest = 7

// Sessions implements [store.Sessions] and [store.Changes]. It is made by [Open].
type Sessions struct {
	o       Options
	prefix  string // with the braces of a hash tag and a colon
	client  rueidis.Client
	feed    *feed
	reach   *reach.Reach
	pace    pace
	notices []string

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
	slots  chan struct{} // one token for each exchange under way
	end    context.CancelFunc
	heard  sync.WaitGroup // the goroutine that listens
}

// Check returns an error where [Open] could not read a URL. It connects to
// nothing and, like that, tells nothing of the URL.
func Check(url auth.Secret) error {
	_, err := place(Options{URL: url})
	return err
}

// Open connects to a server, which must be there and must be fit to keep
// sessions. The URL is one of
//
//	redis://user:password@host:6379/0                a server, or a node of a cluster
//	redis://…@host1:6379?addr=host2:6379             more nodes of a cluster
//	redis://…@sentinel1:26379?addr=sentinel2:26379&master_set=name
//	rediss://…                                       any of these over TLS
//	unix://user:password@/path/to/socket?db=0
//
// A server that evicts keys, that is older than 7 or that refuses the
// credentials is an error: sessions never go elsewhere instead.
func Open(ctx context.Context, o Options) (*Sessions, error) {
	o = o.withDefaults()
	if strings.ContainsAny(o.Prefix, "{} \t\r\n") {
		return nil, errors.New("the prefix of the session store must not hold braces or spaces")
	}
	where, err := place(o)
	if err != nil {
		return nil, err
	}
	client, err := dial(where)
	if err != nil {
		return nil, unopened(where, err)
	}
	s := &Sessions{
		o: o, prefix: "{" + o.Prefix + "}:", client: client,
		feed: newFeed(), slots: make(chan struct{}, maxCalls),
	}
	if err := s.inspect(ctx); err != nil {
		client.Close()
		return nil, err
	}
	s.reach = reach.New(reach.Options{Probe: s.answers, Wait: probeWait + o.spare(), Pause: probePause})
	listening, end := context.WithCancel(context.Background())
	s.end = end
	s.heard.Go(func() { s.listen(listening) })
	return s, nil
}

// openTries is how often a server is tried that is there and slow, as one that
// was started with the gateway: a dial is given as little time as a call.
const openTries = 5

func dial(where rueidis.ClientOption) (client rueidis.Client, err error) {
	for range openTries {
		client, err = rueidis.NewClient(where)
		if late, timeout := errors.AsType[net.Error](err); !timeout || !late.Timeout() {
			break
		}
	}
	return client, err
}

// Notices are sentences for the operator on what could not be made sure of.
func (s *Sessions) Notices() []string { return s.notices }

// Close ends what Open started, after the calls under way.
func (s *Sessions) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.feed.close()
	s.heard.Wait()
	s.calls.Wait()
	s.reach.Close()
	s.client.Close()
	return nil
}

// answers returns nil where the server answers, whatever it says.
func (s *Sessions) answers(ctx context.Context) error {
	err := s.ask(ctx, sessionScript, name(rowName, "", "")).Error()
	if _, told := rueidis.IsRedisErr(err); told || rueidis.IsRedisNil(err) {
		return nil
	}
	return err
}

// inspect refuses a server that would lose sessions by itself.
func (s *Sessions) inspect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	for address, node := range s.client.Nodes() {
		if err := s.inspectVersion(ctx, node); err != nil {
			return fmt.Errorf("the session store at %s: %w", address, err)
		}
		if err := s.inspectMemory(ctx, address, node); err != nil {
			return fmt.Errorf("the session store at %s: %w", address, err)
		}
	}
	if err := s.inspectPermissions(ctx); err != nil {
		return err
	}
	// A script that only reads shows whether the credentials allow those, and the keys.
	if _, err := s.ask(ctx, sessionScript, name(rowName, "", "")).ToString(); err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("the session store does not answer as it should: %w", err)
	}
	return nil
}

// inspectPermissions refuses a user who may not run what scripts run. A server
// that takes no writes at present is left to those.
func (s *Sessions) inspectPermissions(ctx context.Context) error {
	refused, err := s.ask(ctx, permittedScript).AsStrSlice()
	if e, told := rueidis.IsRedisErr(err); told {
		if strings.HasPrefix(e.Error(), "NOPERM") {
			return fmt.Errorf("the session store refuses its user a command: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("the session store does not answer as it should: %w", err)
	}
	if len(refused) > 1 {
		return fmt.Errorf("the session store refuses its user the command %s: %s", refused[0], strings.TrimSpace(refused[1]))
	}
	return nil
}

func (s *Sessions) inspectVersion(ctx context.Context, node rueidis.Client) error {
	hello, err := node.Do(ctx, node.B().Arbitrary("HELLO").Build()).ToMap()
	if err != nil {
		return err
	}
	field := hello["version"]
	version, _ := field.ToString()
	return newEnough(version)
}

// newEnough returns an error for a version that is not known to be enough.
func newEnough(version string) error {
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return fmt.Errorf("its version is %q, and %d or later is needed", version, oldest)
	}
	return nil
}

// inspectMemory reads what the server does when its memory is full. Where it may
// not be read, which is how most hosted servers are set up, a notice is left.
func (s *Sessions) inspectMemory(ctx context.Context, address string, node rueidis.Client) error {
	settings, err := node.Do(ctx, node.B().ConfigGet().Parameter("maxmemory-policy").Build()).AsStrMap()
	if _, told := rueidis.IsRedisErr(err); told {
		s.notices = append(s.notices, "the session store at "+address+
			" does not tell its maxmemory-policy: see to it that it is noeviction, or sessions and revocations are lost without a word")
		return nil
	}
	if err != nil {
		return err
	}
	if policy := settings["maxmemory-policy"]; policy != "noeviction" && policy != "" {
		return fmt.Errorf("its maxmemory-policy is %s, with which it drops sessions and revocations when its memory is full: set it to noeviction", policy)
	}
	return nil
}

var errClosed = errors.New("the store is closed")

// failure returns err as what a caller of the store is told.
func failure(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	if rueidis.IsRedisNil(err) {
		return absent()
	}
	// A script that fails by itself, or a key of another type, is our fault or
	// that of someone else who writes below the prefix.
	if e, told := rueidis.IsRedisErr(err); told {
		text := e.Error()
		if strings.HasPrefix(text, "WRONGTYPE") || strings.HasPrefix(text, "ERR user_script") {
			return auth.Fail(auth.Internal, auth.ReasonStore, err)
		}
	}
	return unavailable(err)
}

func absent() error { return auth.Fail(auth.NotFound, auth.ReasonUnknown, nil) }

func conflict() error { return auth.Fail(auth.Conflict, "", nil) }

func unavailable(err error) error { return auth.Fail(auth.Unavailable, auth.ReasonStore, err) }

func malformed(text string) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, errors.New(text))
}
