package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tradewind/shared/httpkit"
	"tradewind/shared/idempotency"
	"tradewind/shared/logs"
	"tradewind/shared/table"
	"tradewind/shared/table/tabletest"
)

type guest struct {
	table.Key `json:"-"`
	ID        string `dynamodbav:"id" json:"id"`
	Secret    string `dynamodbav:"-" json:"secret"`
}

func TestForget(t *testing.T) {
	tabletest.Both(t, func(t *testing.T, tbl *table.Table) {
		keys := idempotency.New(tbl, time.Now).About(func(v any) string { return v.(guest).ID })
		effects := 0
		rt := httpkit.NewRouter(logs.Discard())
		rt.Handle("POST /guests/{id}", func(r *http.Request) (httpkit.Answer, error) {
			render := func(g guest) httpkit.Answer { return httpkit.JSON(http.StatusCreated, g) }
			return idempotency.Do(keys, r, render, func(ctx context.Context) (guest, error) {
				effects++
				g := guest{table.Key{PK: "GUEST", SK: fmt.Sprint(effects)}, r.PathValue("id"), "Ada"}
				return g, tbl.Commit(ctx, g, table.Create(g, errors.New("taken")))
			})
		})
		post := func(id, key string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/guests/"+id, strings.NewReader("{}"))
			r.Header.Set("Idempotency-Key", key)
			w := httptest.NewRecorder()
			rt.ServeHTTP(w, r)
			return w
		}
		const many = 60 // more than a page of records
		for i := range many {
			post("usr_1", fmt.Sprint(i))
		}
		other := post("usr_2", "other")

		for range 2 { // it may be repeated
			if err := idempotency.Forget(context.Background(), tbl, "usr_1"); err != nil {
				t.Fatal(err)
			}
		}
		for i := range many {
			if w := post("usr_1", fmt.Sprint(i)); w.Code != http.StatusConflict || strings.Contains(w.Body.String(), "Ada") {
				t.Fatalf("repeat %d after the answer was erased: %d %s", i, w.Code, w.Body)
			}
		}
		if w := post("usr_2", "other"); w.Body.String() != other.Body.String() || w.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("another's answer: %d %s", w.Code, w.Body)
		}
		left, _, err := table.List[struct{ PK string }](context.Background(), tbl, table.Query{Index: table.GSI1, PK: "ANSWERS#usr_1", Limit: 1})
		if err != nil || len(left) > 0 {
			t.Errorf("answers are still to be found: %v, %v", left, err)
		}
	})
}
