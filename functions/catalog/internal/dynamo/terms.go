package dynamo

import (
	"slices"
	"strings"
	"unicode/utf8"

	"tradewind/functions/catalog"
	"tradewind/shared/table"
)

// maxWords is how many words of a name can be found by. It bounds the entries,
// and with them the transaction that writes them.
const maxWords = 8

// terms returns what a product can be found by, sorted: its SKU, and its name
// from each word on, so that "mug" and "blue m" both find a "Blue Mug".
func terms(p catalog.Product) []string {
	words := strings.Fields(normal(p.Name))
	list := []string{normal(p.SKU)}
	for i := range min(len(words), maxWords) {
		list = append(list, strings.Join(words[i:], " "))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// normal returns text as it is compared: in lower case, with single spaces.
func normal(text string) string {
	return strings.Join(strings.Fields(strings.ToLower(text)), " ")
}

// termKey returns the index partition of the terms that begin as text does.
// Having one per first letter spreads them at no cost: a search knows its own.
func termKey(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return table.Prefixed("TERM", text[:size])
}

// foundFirstBy reports whether the entry is the first of its product that a
// search for text comes upon. More of its terms may begin with the text, in
// this page or another, and only one of them may show it.
func (it item) foundFirstBy(text string) bool {
	first := slices.IndexFunc(it.Terms, func(term string) bool { return strings.HasPrefix(term, text) })
	return first >= 0 && it.Index.SK == table.Prefixed(it.Terms[first], it.ID)
}
