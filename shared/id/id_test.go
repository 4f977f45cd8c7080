package id_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tradewind/shared/id"
)

func TestNew(t *testing.T) {
	const n = 10_000
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id.New("evt")
		if !id.Valid("evt", ids[i]) {
			t.Fatalf("%q is not valid", ids[i])
		}
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort in the order in which they were made")
	}
	if len(slices.Compact(ids)) != n {
		t.Error("an id came twice")
	}
}

func TestNewAtOnce(t *testing.T) {
	const n = 1000
	made := make(chan string, 8*n)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n {
				made <- id.New("ord")
			}
		})
	}
	wg.Wait()
	close(made)
	seen := map[string]bool{}
	for s := range made {
		if seen[s] {
			t.Fatalf("%s came twice", s)
		}
		seen[s] = true
	}
}

func TestValid(t *testing.T) {
	const ulid = "01K9ZX3V5T8Q2M4N6P7R8S9T03"
	tests := map[string]struct {
		id   string
		want bool
	}{
		"an id":               {"ord_" + ulid, true},
		"least":               {"ord_" + strings.Repeat("0", 26), true},
		"most":                {"ord_7" + strings.Repeat("Z", 25), true},
		"more than most":      {"ord_8" + strings.Repeat("0", 25), false},
		"of another thing":    {"usr_" + ulid, false},
		"of a longer prefix":  {"xord_" + ulid, false},
		"without a prefix":    {ulid, false},
		"without underscore":  {"ord" + ulid, false},
		"only the prefix":     {"ord_", false},
		"nothing":             {"", false},
		"too short":           {"ord_" + ulid[1:], false},
		"too long":            {"ord_" + ulid + "0", false},
		"lower case":          {"ord_" + strings.ToLower(ulid), false},
		"letter that is none": {"ord_" + strings.Replace(ulid, "Q", "U", 1), false},
		"a path":              {"ord_../../../../../../../etc/p", false},
		"key separator":       {"ord_01K9ZX3V5T8Q2M4N6P7R8S9T0#", false},
	}
	for name, tt := range tests {
		if got := id.Valid("ord", tt.id); got != tt.want {
			t.Errorf("%s: Valid(%q) is %v", name, tt.id, got)
		}
	}
}

// An edge refuses what cannot be an id without asking the store.
func ExampleValid() {
	fmt.Println(id.Valid("ord", id.New("ord")))
	fmt.Println(id.Valid("ord", id.New("usr")))
	fmt.Println(id.Valid("ord", "42"))

	// Output:
	// true
	// false
	// false
}
