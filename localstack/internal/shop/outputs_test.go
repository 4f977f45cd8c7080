package shop_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tradewind/localstack/internal/shop"
)

func example() shop.Outputs {
	return shop.Outputs{
		Endpoint:   "http://127.0.0.1:4566",
		Region:     "us-east-1",
		APIURL:     "http://127.0.0.1:4566/_aws/execute-api/a1/$default",
		ALBURL:     "http://127.0.0.1:4566/_alb/tradewind-local",
		UserPoolID: "us-east-1_1",
		ClientID:   "c1",
		Admin:      shop.Identity{UserID: "usr_1", Token: "a.b.c"},
		Customer:   shop.Identity{UserID: "usr_2", Token: "d.e.f"},
		Products:   []string{"prd_1"},
		Queues:     map[string]string{"orders-consumer": "http://127.0.0.1:4566/0/q"},
		Tables:     map[string]string{"orders": "t"},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outputs.json")
	for range 2 { // also over an older one
		if err := shop.WriteOutputs(path, example()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := shop.ReadOutputs(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode is %v", mode)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// The names are the contract with every tool that reads the file.
func TestNames(t *testing.T) {
	text, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"endpoint", "region", "apiUrl", "albUrl", "userPoolId", "clientId",
		"admin", "customer", "products", "queues", "tables",
	} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %q", name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("unknown: %v", got)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	if _, err := shop.ReadOutputs(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file was read")
	}
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.ReadOutputs(broken); err == nil {
		t.Error("a broken file was read")
	}
	if err := shop.WriteOutputs(filepath.Join(dir, "absent", "outputs.json"), example()); err == nil {
		t.Error("a file was written into an absent folder")
	}
}
