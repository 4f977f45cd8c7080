package auth

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// between is kept between two looks at the key set's address: anybody can send
	// a token with a key that nobody knows.
	between = time.Minute
	// betweenFirst is kept while no key is known at all.
	betweenFirst = 2 * time.Second

	fetchTimeout = 2 * time.Second
	maxKeySet    = 64 << 10
	maxKeys      = 32
)

var errUnknownKey = errors.New("the key is not one of the pool's")

// keySet holds the pool's public keys by their ids.
type keySet struct {
	text string
	url  string
	now  func() time.Time
	log  *slog.Logger

	known atomic.Pointer[map[string]*rsa.PublicKey]

	mu     sync.Mutex // held by who looks for keys
	looked time.Time
}

// find returns the key with an id.
func (k *keySet) find(ctx context.Context, id string) (*rsa.PublicKey, error) {
	if id == "" {
		return nil, errors.New("the token names no key")
	}
	if key := k.get(id); key != nil {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known.Load() == nil {
		k.configured()
	}
	if key := k.get(id); key != nil { // somebody else was faster
		return key, nil
	}
	wait := between
	if len(*k.known.Load()) == 0 {
		wait = betweenFirst
	}
	if k.url == "" || k.now().Sub(k.looked) < wait {
		return nil, errUnknownKey
	}
	k.looked = k.now()
	keys, err := fetch(ctx, k.url)
	if err != nil {
		k.log.ErrorContext(ctx, "the pool's keys cannot be fetched", "error", err)
		return nil, errUnknownKey
	}
	// Those that are no longer published are no longer the pool's.
	k.known.Store(&keys)
	if key := keys[id]; key != nil {
		return key, nil
	}
	return nil, errUnknownKey
}

func (k *keySet) get(id string) *rsa.PublicKey {
	if known := k.known.Load(); known != nil {
		return (*known)[id]
	}
	return nil
}

// configured reads the keys that came with the configuration. That waits for the
// first token, because most starts of a function are for a request from the
// gateway.
func (k *keySet) configured() {
	keys := map[string]*rsa.PublicKey{}
	if k.text != "" {
		parsed, err := parseKeys([]byte(k.text))
		if err != nil {
			k.log.Error("the pool's keys cannot be read from the configuration", "error", err)
		} else {
			keys = parsed
		}
	}
	k.known.Store(&keys)
}

// FetchKeys returns the key set at an address in the form that Config.Keys takes: the
// keys that tokens can be signed with, and of those only what verifying needs, so that
// nothing else gets into a function's environment, which has little room.
func FetchKeys(ctx context.Context, url string) (string, error) {
	text, err := get(ctx, url)
	if err != nil {
		return "", err
	}
	usable, _, err := usableKeys(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", url, err)
	}
	out, err := json.Marshal(jwkSet{usable})
	return string(out), err
}

// fetch gets a key set. It does not end with the request that wants it: the next will
// want it too.
func fetch(ctx context.Context, url string) (map[string]*rsa.PublicKey, error) {
	text, err := get(context.WithoutCancel(ctx), url)
	if err != nil {
		return nil, err
	}
	return parseKeys(text)
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{
		Transport:     &http.Transport{MaxResponseHeaderBytes: maxKeySet, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
}

// jwk is a public RSA key of a set, and nothing of it but what is looked at.
type jwk struct {
	ID       string `json:"kid"`
	Type     string `json:"kty"`
	Use      string `json:"use,omitempty"`
	Alg      string `json:"alg,omitempty"`
	Modulus  string `json:"n"`
	Exponent string `json:"e"`
}

type jwkSet struct {
	Keys []jwk `json:"keys"`
}

func parseKeys(text []byte) (map[string]*rsa.PublicKey, error) {
	_, keys, err := usableKeys(text)
	return keys, err
}

// usableKeys returns the keys of a set that sign with RS256, as they are written and by
// their ids. It is an error if there are none.
func usableKeys(text []byte) ([]jwk, map[string]*rsa.PublicKey, error) {
	if len(text) > maxKeySet {
		return nil, nil, fmt.Errorf("a key set of more than %d bytes", maxKeySet)
	}
	var set jwkSet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, fmt.Errorf("it is no key set: %w", err)
	}
	var usable []jwk
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys[:min(len(set.Keys), maxKeys)] {
		if k.ID == "" || k.Type != "RSA" || k.Use != "" && k.Use != "sig" || k.Alg != "" && k.Alg != "RS256" {
			continue
		}
		if key := publicKey(k.Modulus, k.Exponent); key != nil {
			usable, keys[k.ID] = append(usable, k), key
		}
	}
	if len(keys) == 0 {
		return nil, nil, errors.New("a key set without a usable key")
	}
	return usable, keys, nil
}

// publicKey returns nil for what is no key, or one that is too weak or too expensive.
func publicKey(modulus, exponent string) *rsa.PublicKey {
	n, err := base64.RawURLEncoding.DecodeString(modulus)
	if err != nil {
		return nil
	}
	e, err := base64.RawURLEncoding.DecodeString(exponent)
	if err != nil || len(e) > 4 {
		return nil
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := key.N.BitLen(); bits < 2048 || bits > 8192 || key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1 {
		return nil
	}
	return key
}
