package dynamo

import (
	"time"

	"tradewind/events"
	"tradewind/functions/catalog"
	"tradewind/shared/table"
)

// item is a product as it is stored; with an index key it is an entry.
type item struct {
	table.Key
	table.Index
	ID          string    `dynamodbav:"id"`
	SKU         string    `dynamodbav:"sku"`
	Name        string    `dynamodbav:"name"`
	Description string    `dynamodbav:"description"`
	Category    string    `dynamodbav:"category"`
	Amount      int64     `dynamodbav:"amount"`
	Currency    string    `dynamodbav:"currency"`
	Status      string    `dynamodbav:"status"`
	Version     int       `dynamodbav:"version"`
	CreatedAt   time.Time `dynamodbav:"createdAt"`
	UpdatedAt   time.Time `dynamodbav:"updatedAt"`
	// Terms and Entries say what the index holds of the product.
	Terms   []string `dynamodbav:"terms"`
	Entries int      `dynamodbav:"entries"`
}

// claimItem keeps a SKU for a product.
type claimItem struct {
	table.Key
	ProductID string `dynamodbav:"productId"`
}

func claim(p catalog.Product) claimItem { return claimItem{claimKey(p.SKU), p.ID} }

func itemOf(p catalog.Product) item {
	it := item{
		Key:         key(p.ID),
		ID:          p.ID,
		SKU:         p.SKU,
		Name:        p.Name,
		Description: p.Description,
		Category:    p.Category,
		Amount:      p.Price.Amount,
		Currency:    p.Price.Currency,
		Status:      string(p.Status),
		Version:     p.Version,
		CreatedAt:   p.CreatedAt,
		UpdatedAt:   p.UpdatedAt,
	}
	if p.Status == catalog.Active {
		it.Terms = terms(p)
		it.Entries = 2 + len(it.Terms)
	}
	return it
}

// entry returns the product's entry number i.
func (it item) entry(i int) item {
	it.Key = entryKey(it.ID, i)
	switch i {
	case 0:
		it.Index = table.Index{PK: allKey, SK: it.ID}
	case 1:
		it.Index = table.Index{PK: categoryKey(it.Category), SK: it.ID}
	default:
		term := it.Terms[i-2]
		it.Index = table.Index{PK: termKey(term), SK: table.Prefixed(term, it.ID)}
	}
	return it
}

func (it item) product() catalog.Product {
	return catalog.Product{
		ID:          it.ID,
		SKU:         it.SKU,
		Name:        it.Name,
		Description: it.Description,
		Category:    it.Category,
		Price:       events.Money{Amount: it.Amount, Currency: it.Currency},
		Status:      catalog.Status(it.Status),
		Version:     it.Version,
		CreatedAt:   it.CreatedAt,
		UpdatedAt:   it.UpdatedAt,
	}
}
