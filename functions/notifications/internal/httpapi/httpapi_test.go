package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tradewind/events"
	"tradewind/events/inventory"
	event "tradewind/events/notifications"
	"tradewind/events/orders"
	"tradewind/events/users"
	"tradewind/functions/notifications"
	"tradewind/functions/notifications/internal/dynamo"
	"tradewind/functions/notifications/internal/httpapi"
	"tradewind/shared/cursor"
	"tradewind/shared/id"
	"tradewind/shared/identity"
	"tradewind/shared/logs"
	"tradewind/shared/openapi/openapitest"
	"tradewind/shared/outbox"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

const (
	ada   = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZA"
	gone  = "usr_01K9ZZZZZZZZZZZZZZZZZZZZZB"
	order = "ord_01K9ZZZZZZZZZZZZZZZZZZZZZC"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// bounded refuses a key that is longer than DynamoDB takes.
type bounded struct{ table.Backend }

func (b bounded) Query(ctx context.Context, q table.Query, limit int) ([]table.Item, error) {
	if len(q.PK) > 2048 {
		return nil, errors.New("ValidationException: size of hashkey has exceeded the maximum size limit of 2048 bytes")
	}
	return b.Backend.Query(ctx, q, limit)
}

// newAPI is the service after Ada registered, ordered and was confirmed, each a
// second after the other, an erased user's order was cancelled, and a product
// ran out.
func newAPI(t *testing.T) *openapitest.Handler {
	t.Helper()
	clock := noon
	now := func() time.Time { clock = clock.Add(time.Second); return clock }
	svc := notifications.NewService(dynamo.New(table.New(bounded{&tabletest.Memory{}}), outbox.New(event.Source, time.Now)), nil, "", now)
	ctx, total := t.Context(), events.Money{Amount: 1999, Currency: "EUR"}
	err := errors.Join(
		svc.Registered(ctx, users.RegisteredV1{UserID: ada, Email: "ada@example.com", Name: "Ada"}),
		svc.OrderCreated(ctx, orders.CreatedV1{OrderID: order, UserID: ada, Total: total}),
		svc.OrderConfirmed(ctx, orders.ConfirmedV1{OrderID: order, UserID: ada, Total: total}),
		svc.Deleted(ctx, users.DeletedV1{UserID: gone}),
		svc.OrderCancelled(ctx, orders.CancelledV1{OrderID: order, UserID: gone, Reason: "timed_out"}),
		svc.StockDepleted(ctx, inventory.StockDepletedV1{ProductID: "prd_1"}, "evt_1"),
	)
	if err != nil {
		t.Fatal(err)
	}
	pages := cursor.New([]byte(strings.Repeat("k", 32)), time.Now)
	return openapitest.New(t, notifications.OpenAPI, httpapi.Routes(svc, pages, logs.Discard()))
}

type call struct {
	user, method, path string
	admin              bool
	accept             string
}

func do(h http.Handler, c call) *httptest.ResponseRecorder {
	if c.method == "" {
		c.method = http.MethodGet
	}
	r := httptest.NewRequest(c.method, c.path, nil)
	if c.accept != "" {
		r.Header.Set("Accept", c.accept)
	}
	if c.user != "" {
		claims := map[string]string{"token_use": "access", "username": c.user}
		if c.admin {
			claims["cognito:groups"] = "[admin]"
		}
		r = r.WithContext(identity.WithClaims(r.Context(), claims))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

type page struct {
	Items []struct {
		ID, UserID, OrderID, Channel, Template, Subject, Body, Status, Cause, CreatedAt, UpdatedAt string
		Version                                                                                    int
	}
	NextCursor string
}

func list(t *testing.T, h http.Handler, c call) page {
	t.Helper()
	w := do(h, c)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", c.path, w.Code, w.Body)
	}
	var p page
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p page) templates() string {
	var all []string
	for _, n := range p.Items {
		all = append(all, n.Template)
	}
	return strings.Join(all, " ")
}

func TestList(t *testing.T) {
	h := newAPI(t)
	tests := map[string]struct {
		call call
		want string
	}{
		"own":              {call{user: ada, path: "/api/notifications"}, "order_confirmed order_received welcome"},
		"own by id":        {call{user: ada, path: "/api/notifications?userId=" + ada}, "order_confirmed order_received welcome"},
		"nothing yet":      {call{user: "usr_new", path: "/api/notifications"}, ""},
		"an admin's own":   {call{user: "usr_9", admin: true, path: "/api/notifications"}, ""},
		"admin reads Ada":  {call{user: "usr_9", admin: true, path: "/api/notifications?userId=" + ada}, "order_confirmed order_received welcome"},
		"admin reads shop": {call{user: "usr_9", admin: true, path: "/api/notifications?userId=admin"}, "stock_depleted"},
		"nobody's":         {call{user: "usr_9", admin: true, path: "/api/notifications?userId=" + strings.Repeat("x", 5000)}, ""},
		"no text":          {call{user: "usr_9", admin: true, path: "/api/notifications?userId=%ff%00"}, ""},
		"first two":        {call{user: ada, path: "/api/notifications?limit=2"}, "order_confirmed order_received"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := list(t, h, tt.call).templates(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPages(t *testing.T) {
	h := newAPI(t)
	var got []string
	path := "/api/notifications?limit=1"
	for range 4 {
		p := list(t, h, call{user: ada, path: path})
		got = append(got, p.templates())
		if p.NextCursor == "" {
			break
		}
		path = "/api/notifications?limit=1&cursor=" + url.QueryEscape(p.NextCursor)
	}
	if diff := cmp.Diff([]string{"order_confirmed", "order_received", "welcome"}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	h := newAPI(t).DemandAll()
	for _, c := range []call{{user: ada, path: "/api/notifications"}, {user: "usr_9", admin: true, path: "/api/notifications?userId=" + gone}} {
		for _, n := range list(t, h, c).Items {
			w := do(h, call{user: c.user, admin: c.admin, path: "/api/notifications/" + n.ID})
			var got = n
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || w.Header().Get("ETag") != `"1"` {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if diff := cmp.Diff(n, got); diff != "" {
				t.Errorf("read (-listed +read):\n%s", diff)
			}
			if n.Channel != "email" || n.Version != 1 || n.CreatedAt == "" || n.CreatedAt != n.UpdatedAt {
				t.Errorf("got %+v", n)
			}
			if failed := c.admin; failed && (n.Status != "failed" || n.Cause != "recipient_erased") || !failed && (n.Status != "sent" || n.Cause != "") {
				t.Errorf("got %+v", n)
			}
		}
	}
	if w := do(h, call{path: "/api/notifications/openapi.json"}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"openapi":"3.1.0"`) {
		t.Errorf("document: %d %s", w.Code, w.Body)
	}
}

func TestRefusals(t *testing.T) {
	h := newAPI(t)
	own := "/api/notifications/" + list(t, h, call{user: ada, path: "/api/notifications"}).Items[0].ID
	next := list(t, h, call{user: ada, path: "/api/notifications?limit=1"}).NextCursor
	const all = "/api/notifications"
	tests := map[string]struct {
		call call
		want int
		code string
	}{
		"nobody reads":           {call{path: own}, 401, "unauthenticated"},
		"nobody lists":           {call{path: all}, 401, "unauthenticated"},
		"another's":              {call{user: "usr_2", path: own}, 404, "notification_not_found"},
		"another's list":         {call{user: "usr_2", path: all + "?userId=" + ada}, 403, "forbidden"},
		"the shop's list":        {call{user: ada, path: all + "?userId=admin"}, 403, "forbidden"},
		"absent":                 {call{user: ada, path: all + "/" + id.New("ntf")}, 404, "notification_not_found"},
		"the order's id":         {call{user: ada, path: all + "/" + order}, 404, "notification_not_found"},
		"no id":                  {call{user: ada, path: all + "/1"}, 404, "notification_not_found"},
		"below":                  {call{user: ada, path: own + "/body"}, 404, "not_found"},
		"limit too small":        {call{user: ada, path: all + "?limit=0"}, 422, "invalid"},
		"limit too large":        {call{user: ada, path: all + "?limit=101"}, 422, "invalid"},
		"limit no number":        {call{user: ada, path: all + "?limit=ten"}, 422, "invalid"},
		"forged cursor":          {call{user: ada, path: all + "?cursor=AAAA"}, 400, "cursor_invalid"},
		"another's cursor":       {call{user: "usr_2", path: all + "?cursor=" + next}, 400, "cursor_invalid"},
		"cursor of another list": {call{user: ada, admin: true, path: all + "?userId=admin&cursor=" + next}, 400, "cursor_invalid"},
		"create":                 {call{user: ada, method: "POST", path: all}, 405, "method_not_allowed"},
		"change":                 {call{user: ada, method: "PATCH", path: own}, 405, "method_not_allowed"},
		"delete":                 {call{user: ada, method: "DELETE", path: own}, 405, "method_not_allowed"},
		"not JSON":               {call{user: ada, path: own, accept: "text/html"}, 406, "not_acceptable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := do(h, tt.call)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), `"code":"`+tt.code+`"`) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.want, tt.code)
			}
			if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
		})
	}
}
