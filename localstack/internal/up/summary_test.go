package up

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tradewind/localstack/internal/fixtures"
	"tradewind/localstack/internal/shop"
)

const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.e30.c2lnbmF0dXJl"

func printed(t *testing.T) string {
	t.Helper()
	o := shop.Outputs{
		Endpoint: "http://127.0.0.1:4566", Region: "us-east-1", APIURL: "http://127.0.0.1:4566/_aws/execute-api/a1/$default",
		ALBURL:   "http://127.0.0.1:4566/_alb/tradewind-local",
		Customer: shop.Identity{UserID: "usr_1", Token: token},
		Products: []string{"prd_0", "prd_1", "prd_2"},
	}
	file := filepath.Join(t.TempDir(), "outputs.json")
	if err := shop.WriteOutputs(file, o); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printSummary(&out, o, fixtures.Seeded{
		Admin:    fixtures.Account{Email: "admin@tradewind.example", Password: "secret-a", Token: token},
		Customer: fixtures.Account{Email: "customer@tradewind.example", Password: "secret-c", Token: "short"},
	}, file)
	return out.String()
}

func TestPrint(t *testing.T) {
	text := printed(t)
	for _, want := range []string{
		"http://127.0.0.1:4566/_aws/execute-api/a1/$default", "/_alb/tradewind-local", "admin@tradewind.example  password secret-a",
		"token " + token[:16] + "…", "token short\n", "products   3, in stock", "outputs.json",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, token) {
		t.Error("a whole token is shown")
	}
}

// The sample commands are run as they are, by a shell in which curl only repeats
// what it was told.
func TestTheCommandsWork(t *testing.T) {
	_, commands, _ := strings.Cut(printed(t), "try:\n")
	out, err := exec.Command("sh", "-euc", `curl() { printf '<%s>\n' "$@"; }`+"\n"+commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"<http://127.0.0.1:4566/_aws/execute-api/a1/$default/health>",
		"<http://127.0.0.1:4566/_aws/execute-api/a1/$default/api/products?limit=3>",
		"<Authorization: Bearer " + token + ">", `<{"items": [{"productId": "prd_2", "quantity": 1}]`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
