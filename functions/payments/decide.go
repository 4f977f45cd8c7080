package payments

// news is what payments is told of an order.
type news int

const (
	stockReserved news = iota
	orderCancelled
)

// step is what has to be done about it.
type step int

const (
	// nothing: it was done before, or there is nothing to do any more.
	nothing step = iota
	// charge asks the provider for the order's total.
	charge
	// bar forbids a charge that was not asked for yet.
	bar
	// refund returns what was captured.
	refund
	// void makes sure that nothing is or will be charged: whether an earlier
	// delivery asked for a charge before the order was barred is not known here,
	// only to the provider.
	void
)

// decisions says what to do about each news in each status.
var decisions = map[news]map[Status]step{
	stockReserved: {
		None:     charge,
		Barred:   void,
		Captured: nothing,
		Declined: nothing,
		Refunded: nothing,
	},
	orderCancelled: {
		None:     bar,
		Barred:   nothing,
		Captured: refund,
		Declined: nothing,
		Refunded: nothing,
	},
}
