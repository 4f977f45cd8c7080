package table_test

import (
	"testing"

	"tradewind/shared/table/tabletest"
)

func TestTable(t *testing.T) { tabletest.Both(t, tabletest.Run) }
