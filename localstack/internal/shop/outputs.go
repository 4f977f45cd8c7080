package shop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Outputs is the content of outputs.json.
type Outputs struct {
	Endpoint   string            `json:"endpoint"` // of the AWS API; empty means AWS itself
	Region     string            `json:"region"`
	APIURL     string            `json:"apiUrl"`
	ALBURL     string            `json:"albUrl"`
	UserPoolID string            `json:"userPoolId"`
	ClientID   string            `json:"clientId"`
	Admin      Identity          `json:"admin"`
	Customer   Identity          `json:"customer"`
	Products   []string          `json:"products"` // ids, each with stock
	Queues     map[string]string `json:"queues"`   // name to URL
	Tables     map[string]string `json:"tables"`   // service to name
}

// Identity is a user of the platform and an access token of theirs.
type Identity struct {
	UserID string `json:"userId"`
	Token  string `json:"token"`
}

// WriteOutputs replaces the file in one step, so that a reader sees the old content or
// the new one, never a part.
func WriteOutputs(path string, o Outputs) error {
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("encode outputs: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".outputs-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write outputs: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails, rightly, once it is renamed
	if _, err := tmp.Write(append(text, '\n')); err != nil {
		tmp.Close()
		return fmt.Errorf("write outputs: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write outputs: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write outputs: %w", err)
	}
	return nil
}

// ReadOutputs reads the file.
func ReadOutputs(path string) (Outputs, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Outputs{}, fmt.Errorf("read outputs: %w", err)
	}
	var o Outputs
	if err := json.Unmarshal(text, &o); err != nil {
		return Outputs{}, fmt.Errorf("read outputs %s: %w", path, err)
	}
	return o, nil
}
