package main

import "tradewind/localstack/internal/endpoint"

// behaviour is something that AWS documents and an endpoint may do otherwise.
type behaviour struct {
	id       string // names the subtest of TestBehaviours that shows it
	question string
	aws      string            // what AWS documents
	source   string            // where
	other    map[string]string // what an endpoint was seen to do instead, by its name
}

// on is what an endpoint is known to do.
func (b behaviour) on(name string) string {
	if outcome, ok := b.other[name]; ok {
		return outcome
	}
	return b.aws
}

const docs = "https://docs.aws.amazon.com/"

// behaviours are the rows of the page. An outcome that a run sees and this table does
// not know fails the run: either the endpoint has changed, or the test sees badly.
var behaviours = []behaviour{
	{
		id: "stream_partial_failure", question: "A function reports the second of three stream records as failed",
		aws:    "again from the second",
		source: docs + "lambda/latest/dg/services-ddb-batchfailurereporting.html",
		other:  map[string]string{endpoint.MiniStack: "the failed record is skipped"},
	},
	{
		id: "stream_retries", question: "A function fails for every stream record; one retry and a queue for failures are set",
		aws:    "into the queue after two invocations",
		source: docs + "lambda/latest/dg/services-ddb-errors.html",
		other:  map[string]string{endpoint.MiniStack: "again and again, and nothing in the queue"},
	},
	{
		id: "stream_filter", question: "A mapping's filter asks for INSERT; an item is put, changed and removed",
		aws:    "INSERT a",
		source: docs + "lambda/latest/dg/with-ddb-filtering.html",
	},
	{
		id: "batch_null", question: "A queue's function answers `{\"batchItemFailures\": null}`",
		aws:    "taken as success",
		source: docs + "lambda/latest/dg/services-sqs-errorhandling.html",
		other:  map[string]string{endpoint.MiniStack: "all messages again"},
	},
	{
		id: "batch_empty_answer", question: "A queue's function answers `{}`",
		aws:    "taken as success",
		source: docs + "lambda/latest/dg/services-sqs-errorhandling.html",
	},
	{
		id: "batch_empty_id", question: "A queue's function reports a failure with an empty `itemIdentifier`",
		aws:    "all messages again",
		source: docs + "lambda/latest/dg/services-sqs-errorhandling.html",
		other:  map[string]string{endpoint.MiniStack: "taken as success"},
	},
	{
		id: "batch_unknown_id", question: "A queue's function reports a failure of a message it did not get",
		aws:    "all messages again",
		source: docs + "lambda/latest/dg/services-sqs-errorhandling.html",
		other:  map[string]string{endpoint.MiniStack: "taken as success"},
	},
	{
		id: "rule_dlq", question: "A rule's target is a queue that is not there; the target has a dead-letter queue",
		aws:    "in the dead-letter queue",
		source: docs + "eventbridge/latest/userguide/eb-rule-dlq.html",
		other:  map[string]string{endpoint.MiniStack: "lost", endpoint.LocalStack: "lost"},
	},
	{
		id: "event_not_json", question: "PutEvents with a detail that is not JSON",
		aws:    "entry refused: MalformedDetail",
		source: docs + "eventbridge/latest/APIReference/API_PutEventsResultEntry.html",
		other:  map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "event_size", question: "PutEvents with an entry of 1.2 MB",
		aws:    "call refused",
		source: docs + "eventbridge/latest/userguide/eb-putevents.html",
		other:  map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "event_count", question: "PutEvents with eleven entries",
		aws:    "call refused",
		source: docs + "eventbridge/latest/APIReference/API_PutEvents.html",
	},
	{
		id: "transaction_conflict", question: "Transactions on one item at the same time",
		aws:    "some are cancelled for TransactionConflict",
		source: docs + "amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling",
		other:  map[string]string{endpoint.MiniStack: "none is cancelled", endpoint.LocalStack: "none is cancelled"},
	},
	{
		id: "transaction_token", question: "A transaction's client token again, with another content",
		aws:    "IdempotentParameterMismatchException",
		source: docs + "amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
	},
	{
		id: "item_size", question: "An item of 401 KB",
		aws:    "ValidationException",
		source: docs + "amazondynamodb/latest/developerguide/Constraints.html",
	},
	{
		id: "message_move", question: "StartMessageMoveTask on a dead-letter queue",
		aws:    "the message is back",
		source: docs + "AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html",
		other:  map[string]string{endpoint.MiniStack: "InvalidAction"},
	},
	{
		id: "function_environment", question: "A function with 5 KB of environment variables",
		aws:    "refused",
		source: docs + "lambda/latest/dg/gettingstarted-limits.html",
		other:  map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "replay", question: "An archive's events of the last hour are replayed to one of two rules",
		aws:    "to that rule",
		source: docs + "eventbridge/latest/userguide/eb-replay-archived-event.html",
		other:  map[string]string{endpoint.MiniStack: "to every rule", endpoint.LocalStack: "InternalError"},
	},
}
