package up

import (
	"strings"
	"testing"
)

func TestKinds(t *testing.T) {
	for name, want := range map[string]string{
		"": "ministack", "ministack": "ministack", "localstack": "/.local/bin/localstack -root ", "localstack-image": "docker compose -f ",
	} {
		k, err := kindOf(name)
		if err != nil {
			t.Fatal(err)
		}
		w := &workspace{Root: t.TempDir(), Dir: t.TempDir()}
		cfg, err := k.config(w, "log", 4566)
		if err != nil || !strings.Contains(strings.Join(cfg.Command, " "), want) || cfg.Port != 4566 || cfg.Dir != w.EndpointDir() || cfg.Ready == "" {
			t.Errorf("%q: %+v, %v", name, cfg, err)
		}
	}
	if _, err := kindOf("moto"); err == nil || !strings.Contains(err.Error(), "localstack") {
		t.Errorf("an endpoint that is none: %v", err)
	}
}
