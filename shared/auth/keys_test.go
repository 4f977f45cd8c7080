package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestParseKeys(t *testing.T) {
	of := func(bits int) map[string]string {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}
	}
	key := of(2048)
	change := func(name, value string) map[string]string {
		k := maps.Clone(key)
		if k[name] = value; value == "" {
			delete(k, name)
		}
		return k
	}
	modulus, err := base64.RawURLEncoding.DecodeString(key["n"])
	if err != nil {
		t.Fatal(err)
	}
	modulus[255] &^= 1
	set := func(keys ...map[string]string) string {
		text, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	tests := map[string]struct {
		set string
		ok  bool
	}{
		"one key":            {set(key), true},
		"among others":       {set(change("kid", ""), change("kty", "EC"), key), true},
		"no use":             {set(change("use", "")), true},
		"no algorithm":       {set(change("alg", "")), true},
		"for encryption":     {set(change("use", "enc")), false},
		"another algorithm":  {set(change("alg", "RS512")), false},
		"no id":              {set(change("kid", "")), false},
		"another kind":       {set(change("kty", "oct")), false},
		"no modulus":         {set(change("n", "")), false},
		"no exponent":        {set(change("e", "")), false},
		"exponent one":       {set(change("e", "AQ")), false},
		"an even exponent":   {set(change("e", "AQAA")), false},
		"a huge exponent":    {set(change("e", "_____w")), false},
		"a longer exponent":  {set(change("e", "AQAAAAE")), false},
		"one that wraps":     {set(change("e", base64.RawURLEncoding.EncodeToString([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1}))), false},
		"not base64":         {set(change("n", "!")), false},
		"not base64 either":  {set(change("e", "!")), false},
		"an even modulus":    {set(change("n", base64.RawURLEncoding.EncodeToString(modulus))), false},
		"too weak":           {set(of(1024)), false},
		"too expensive":      {set(change("n", strings.Repeat("_", 1400))), false},
		"no keys":            {`{"keys":[]}`, false},
		"nothing":            {`{}`, false},
		"not a set":          {`[1]`, false},
		"not JSON":           {`{"keys":`, false},
		"a value of a shape": {`{"keys":[{"kid":1}]}`, false},
		"too large":          {set(key) + strings.Repeat(" ", 70_000), false},
		"too many":           {set(append(slices.Repeat([]map[string]string{change("alg", "x")}, 40), key)...), false},
	}
	for name, test := range tests {
		keys, err := parseKeys([]byte(test.set))
		if (err == nil) != test.ok || test.ok && keys["k1"] == nil {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}
