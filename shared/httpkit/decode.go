package httpkit

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxBody is the largest request body in bytes. The gateway takes 10 MB; no
// resource here needs more than this, and what is stored must fit an event.
const MaxBody = 256 << 10

// Body returns the whole request body. It may be called more than once.
func Body(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	announced := min(max(r.ContentLength, 0), MaxBody)
	buf := bytes.NewBuffer(make([]byte, 0, announced+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, MaxBody+1)); err != nil {
		return nil, BadRequest("body_unreadable", "The body ended before it was complete.")
	}
	body := buf.Bytes()
	if len(body) > MaxBody {
		return nil, status(http.StatusRequestEntityTooLarge, "body_too_large", "The body is larger than 256 KiB.")
	}
	again := &replay{}
	again.Reset(body)
	r.Body = again
	return body, nil
}

// replay is a body that was read and may be read again.
type replay struct{ bytes.Reader }

func (*replay) Close() error { return nil }

// Decode reads the body as one JSON value of type T. A body that is not JSON is
// a 400, one of the wrong shape a 422 that points at the place.
func Decode[T any](r *http.Request) (T, error) {
	var v T
	if !isJSON(r.Header.Get("Content-Type")) {
		return v, status(http.StatusUnsupportedMediaType, "unsupported_media_type", "Send the body as application/json in UTF-8.")
	}
	body, err := Body(r)
	if err != nil {
		return v, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err = dec.Decode(&v)
	// Syntax first: a body that is no JSON at all is the client's encoder's
	// fault (400), and only a whole value can be judged by its shape (422).
	switch {
	case !utf8.Valid(body), mangled(r, body), err != nil && !json.Valid(body), err == nil && !blank(body[dec.InputOffset():]):
		return v, BadRequest("malformed_json", "The body must be exactly one JSON value in UTF-8.")
	case err != nil:
		return v, shapeError(err, body, reflect.TypeFor[T]())
	}
	if err := strict(body, reflect.TypeFor[T]()); err != nil {
		return v, err
	}
	return v, nulls(body)
}

// mangled reports whether the body that was sent was not UTF-8. The gateway
// hands on a text with U+FFFD in place of each byte that is none; only the
// length, which the client gave, still tells of it.
func mangled(r *http.Request, body []byte) bool {
	if !bytes.Contains(body, []byte("\ufffd")) {
		return false
	}
	sent, err := strconv.Atoi(r.Header.Get("Content-Length"))
	return err == nil && sent != len(body)
}

// blank reports whether there is nothing but JSON's white space.
func blank(b []byte) bool { return len(bytes.Trim(b, " \t\r\n")) == 0 }

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true // as nearly all clients spell it
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || (media != "application/json" && media != "application/merge-patch+json") {
		return false
	}
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

// IfMatch returns the version that the client's If-Match names. It is required:
// 428 without it. "*" and lists cannot say which version was read, so they are
// a 400.
func IfMatch(r *http.Request) (int, error) {
	tag := strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
	if tag == "" {
		return 0, status(http.StatusPreconditionRequired, "if_match_required", "Send If-Match with the ETag of the version you read.")
	}
	unquoted, ok := strings.CutPrefix(tag, `"`)
	unquoted, end := strings.CutSuffix(unquoted, `"`)
	version, err := strconv.Atoi(unquoted)
	if !ok || !end || err != nil || version < 1 || strconv.Itoa(version) != unquoted {
		return 0, BadRequest("if_match_malformed", `If-Match must be one entity tag such as "3".`)
	}
	return version, nil
}

// Limits of a page.
const (
	defaultLimit = 20
	maxLimit     = 100
)

// Page returns the requested page size and cursor. The cursor is still sealed.
func Page(r *http.Request) (limit int, cursor string, err error) {
	// URL.Query drops in silence what it cannot read, and with it a filter.
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, "", BadRequest("query_malformed", "The query must be name=value pairs joined by & and percent-encoded.")
	}
	limit = defaultLimit
	if q.Has("limit") {
		text := q.Get("limit")
		limit, err = strconv.Atoi(text)
		if err != nil || text[0] == '+' || limit < 1 || limit > maxLimit {
			return 0, "", invalid("", "limit must be a whole number from 1 to 100")
		}
	}
	return limit, q.Get("cursor"), nil
}

// List is a page of items as it is sent.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

// ListOf returns a list of render(item) for each item; items is never null.
func ListOf[S, T any](items []S, next string, render func(S) T) List[T] {
	list := List[T]{Items: make([]T, len(items)), NextCursor: next}
	for i, item := range items {
		list.Items[i] = render(item)
	}
	return list
}
