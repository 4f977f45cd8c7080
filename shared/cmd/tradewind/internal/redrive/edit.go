package redrive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Editor is the word for the operator's own editor instead of a command.
const Editor = "editor"

// Editing returns a Run's Edit: a command of the shell that reads a body and writes
// another, or the operator's editor. What a command leaves as it was does not go out,
// nor does a body that is no event afterwards, or another one.
func Editing(command string, getenv func(string) string) func(context.Context, Letter) (string, error) {
	change := func(ctx context.Context, l Letter) (string, error) { return piped(ctx, command, l) }
	if command == Editor {
		change = func(ctx context.Context, l Letter) (string, error) { return edited(ctx, editor(getenv), l) }
	}
	return func(ctx context.Context, l Letter) (string, error) {
		body, err := change(ctx, l)
		if err != nil {
			return "", err
		}
		return body, check(l.Body, body)
	}
}

func piped(ctx context.Context, command string, l Letter) (string, error) {
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // the operator's own command
	cmd.Env = append(os.Environ(), "EVENT_TYPE="+l.Note.EventType, "EVENT_ID="+l.Note.EventID, "SUBJECT="+l.Note.Subject)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(l.Body), &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	body := strings.TrimRight(out.String(), "\n")
	if body == l.Body {
		return "", errors.New("the command changed nothing")
	}
	return body, nil
}

// edited shows a body in an editor, laid out to be read. One that was left as it is
// goes out as it was.
func edited(ctx context.Context, editor string, l Letter) (string, error) {
	f, err := os.CreateTemp("", "letter-*.json") // mode 0600: it may hold personal data
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	var shown bytes.Buffer
	if json.Indent(&shown, []byte(l.Body), "", "  ") != nil {
		shown.Reset()
		shown.WriteString(l.Body)
	}
	_, err = f.Write(shown.Bytes())
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$0"`, f.Name()) //nolint:gosec // the operator's own editor
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", editor, err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return "", err
	}
	if bytes.Equal(bytes.TrimSpace(text), bytes.TrimSpace(shown.Bytes())) {
		return l.Body, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return "", fmt.Errorf("the body is no JSON any more: %w", err)
	}
	return compact.String(), nil
}

func editor(getenv func(string) string) string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if e := getenv(name); e != "" {
			return e
		}
	}
	return "vi"
}

// check refuses what an edit must not do: the id is what the inbox knows an event by.
func check(before, after string) error {
	var was, is event
	_ = json.Unmarshal([]byte(before), &was) // it may be what is mended
	if err := json.Unmarshal([]byte(after), &is); err != nil {
		return fmt.Errorf("the body is no event: %w", err)
	}
	if id := was.Detail.Metadata.EventID; id != "" && id != is.Detail.Metadata.EventID {
		return fmt.Errorf("the body is event %q, not %s any more", is.Detail.Metadata.EventID, id)
	}
	return nil
}
