package main

import "tradewind/localstack/internal/endpoint"

// behaviour is something that AWS does and an endpoint may do otherwise.
type behaviour struct {
	id       string // names the row, and the subtest of TestBehaviours that observes it
	question string
	aws      string // what AWS does
	source   string // where AWS documents it
	// recorded is the day on which AWS was recorded doing so; empty where it is only
	// documented. A recorded behaviour that is expensive to observe has no subtest.
	recorded string
	// line is the function of the product that rests on it: its package and name. test is
	// the test that holds the function to it, in the same package unless it names another.
	line, test string
	other      map[string]string // what an endpoint was seen to do instead, by its name
}

// on is what an endpoint is known to do.
func (b behaviour) on(name string) string {
	if outcome, ok := b.other[name]; ok {
		return outcome
	}
	return b.aws
}

const docs = "https://docs.aws.amazon.com/"

// Pages of AWS's that several rows name.
const (
	streamFailures = docs + "lambda/latest/dg/services-ddb-batchfailurereporting.html"
	streamErrors   = docs + "lambda/latest/dg/services-ddb-errors.html"
	streamFilters  = docs + "lambda/latest/dg/with-ddb-filtering.html"
	queueFailures  = docs + "lambda/latest/dg/services-sqs-errorhandling.html"
	putEventsEntry = docs + "eventbridge/latest/APIReference/API_PutEventsResultEntry.html"
	putEvents      = docs + "eventbridge/latest/userguide/eb-putevents.html"
	eventBusAPI    = docs + "eventbridge/latest/APIReference/"
	queueAPI       = docs + "AWSSimpleQueueService/latest/APIReference/"
	transactWrite  = docs + "amazondynamodb/latest/APIReference/API_TransactWriteItems.html"
)

// What is named in several rows.
const (
	relayAnswer  = "shared/relay Relay.Invoke"
	batchAnswers = "shared/consumer Consumer.Invoke"
	letter       = "shared/cmd/tradewind/internal/redrive read"
	relayMapping = "infra/service builder.relay"
	queueRule    = "infra/service builder.consumer"
	replayPlan   = "shared/cmd/tradewind/internal/replay Replay.plan"

	mappingTest = "infra/stacks TestRelayMapping"
	rulesTest   = "infra/stacks TestRules"

	wholeBatch = "all records again"
	messages   = "all messages again"
	success    = "taken as success"
	absent     = "ResourceNotFoundException"
)

// behaviours are the rows of the page. An outcome that a run sees and this table does
// not know fails the run: either the endpoint has changed, or the test sees badly.
var behaviours = []behaviour{
	// From a table's stream to a function.
	{
		id: "stream_partial_failure", question: "A function reports the second of three stream records as failed",
		aws: "again from the second", source: streamFailures,
		recorded: "2025-11-25", line: relayAnswer, test: "TestAnotherProcess",
	},
	{
		id: "stream_empty_id", question: "A stream's function reports a failure with an empty `itemIdentifier`",
		aws: wholeBatch, source: streamFailures,
		recorded: "2025-11-25", line: relayAnswer, test: "TestNoSequenceNumber",
	},
	{
		id: "stream_unknown_id", question: "A stream's function reports a failure of a record it did not get",
		aws: wholeBatch, source: streamFailures,
		recorded: "2025-11-25", line: relayAnswer, test: "TestAnswers",
	},
	{
		id: "stream_empty_list", question: "A stream's function answers `{\"batchItemFailures\": []}`",
		aws: success, source: streamFailures,
		recorded: "2025-11-25", line: relayAnswer, test: "TestStreamEvent",
	},
	{
		id: "stream_partial_count", question: "One record of a batch is reported as failed each time; three retries are set",
		aws: "invoked five times for it, and four are counted: those since the others are done", source: streamErrors,
		recorded: "2025-11-25", line: letter, test: "TestLetters",
	},
	{
		id: "stream_retries", question: "A function fails for every stream record; one retry and a queue for failures are set",
		aws: "into the queue after two invocations", source: streamErrors,
		recorded: "2025-11-25", line: letter, test: "TestLetters",
		other: map[string]string{endpoint.MiniStack: "again and again, and nothing in the queue"},
	},
	{
		id: "stream_letter", question: "What that queue gets",
		aws: "sequence numbers, times and count of the records, and no record", source: streamErrors,
		recorded: "2025-11-25", line: letter, test: "TestLetters",
	},
	{
		id: "stream_filter", question: "A mapping's filter asks for INSERT; an item is put, changed and removed",
		aws: "INSERT a", source: streamFilters, line: relayMapping, test: mappingTest,
	},
	{
		id: "stream_filter_value", question: "A mapping's filter asks for an attribute's value under its type",
		aws: "INSERT a", source: streamFilters,
		recorded: "2025-11-25", line: relayMapping, test: mappingTest,
	},
	{
		id: "stream_filter_untyped", question: "A pattern asks for an attribute of a stream's record without its type",
		aws: "no match", source: streamFilters,
		recorded: "2025-10-15", line: relayMapping, test: mappingTest,
	},
	{
		id: "stream_filter_invalid", question: "A mapping's filter is a text that is not JSON",
		aws: "InvalidParameterValueException", source: streamFilters,
		recorded: "2025-11-25", line: relayMapping, test: mappingTest,
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "stream_transaction", question: "A transaction puts an item, changes one and deletes one",
		aws: "INSERT a, MODIFY b, REMOVE c", source: docs + "amazondynamodb/latest/developerguide/Streams.html",
		recorded: "2025-10-08", line: "shared/relay streamEvent.entries", test: "TestStreamEvent",
	},
	{
		id: "stream_unchanged", question: "A transaction puts an item as it is, and another",
		aws: "INSERT b", source: docs + "amazondynamodb/latest/developerguide/Streams.html",
		recorded: "2025-10-08", line: "shared/outbox Outbox.record", test: "TestSameEventTwice",
	},

	// From a queue to a function.
	{
		id: "batch_partial_failure", question: "A queue's function reports three of four messages as failed",
		aws: "these three again", source: queueFailures,
		recorded: "2025-03-03", line: batchAnswers, test: "TestOneMessageNeverHurtsAnother",
	},
	{
		id: "batch_null", question: "A queue's function answers `{\"batchItemFailures\": null}`",
		aws: success, source: queueFailures, line: batchAnswers, test: "TestBatch",
		other: map[string]string{endpoint.MiniStack: messages},
	},
	{
		id: "batch_empty_answer", question: "A queue's function answers `{}`",
		aws: success, source: queueFailures,
		recorded: "2025-11-25", line: batchAnswers, test: "TestBatch",
	},
	{
		id: "batch_missing_id", question: "A queue's function reports a failure without `itemIdentifier`",
		aws: messages, source: queueFailures,
		recorded: "2025-11-25", line: batchAnswers, test: "TestOneMessageNeverHurtsAnother",
		other: map[string]string{endpoint.MiniStack: success},
	},
	{
		id: "batch_empty_id", question: "A queue's function reports a failure with an empty `itemIdentifier`",
		aws: messages, source: queueFailures, line: batchAnswers, test: "TestOneMessageNeverHurtsAnother",
		other: map[string]string{endpoint.MiniStack: success},
	},
	{
		id: "batch_unknown_id", question: "A queue's function reports a failure of a message it did not get",
		aws: messages, source: queueFailures, line: batchAnswers, test: "TestOneMessageNeverHurtsAnother",
		other: map[string]string{endpoint.MiniStack: success},
	},
	{
		id: "batch_error", question: "A queue's function fails",
		aws: messages, source: queueFailures,
		recorded: "2025-11-25", line: "shared/consumer Consumer.dispatch", test: "TestOneMessageNeverHurtsAnother",
	},
	{
		id: "batch_attributes", question: "A message has attributes",
		aws: "in the event under `messageAttributes`, with `stringValue` and `dataType`", source: docs + "lambda/latest/dg/with-sqs.html",
		recorded: "2025-11-25", line: "shared/consumer message.note", test: "TestComesAgain",
	},
	{
		id: "receive_count", question: "A message is received for the second time",
		aws: "`ApproximateReceiveCount` is 2", source: queueAPI + "API_ReceiveMessage.html",
		recorded: "2025-11-25", line: "shared/consumer message.receives", test: "TestComesAgain",
	},

	// Queues.
	{
		id: "dead_letter", question: "A queue moves a message to its dead-letter queue by itself",
		aws:      "its attributes and its id are the same, and the receive count goes on",
		source:   docs + "AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html",
		recorded: "2024-04-30", line: letter, test: "TestLetters",
	},
	{
		id: "receipt_late_delete", question: "DeleteMessage after the visibility timeout is over",
		aws: "deleted", source: queueAPI + "API_DeleteMessage.html",
		recorded: "2025-03-28", line: "shared/cmd/tradewind/internal/redrive Run.remove", test: "TestLate",
	},
	{
		id: "receipt_late_hide", question: "ChangeMessageVisibility after the visibility timeout is over",
		aws: "taken", source: queueAPI + "API_ChangeMessageVisibility.html",
		recorded: "2024-04-30", line: "shared/cmd/tradewind/internal/redrive Run.visible", test: "TestHeldAgain",
	},
	{
		id: "receive_eleven", question: "ReceiveMessage asks for eleven messages",
		aws: "InvalidParameterValue", source: queueAPI + "API_ReceiveMessage.html",
		recorded: "2024-04-30", line: "shared/cmd/tradewind/internal/redrive Run.Do", test: "TestAllGoBack",
	},
	{
		id: "message_empty", question: "A message with an empty body",
		aws: "MissingParameter", source: queueAPI + "API_SendMessage.html",
		recorded: "2025-09-22", line: "shared/cmd/tradewind/internal/redrive check", test: "TestEditing",
	},
	{
		id: "message_empty_attribute", question: "A message with an empty text as attribute",
		aws: "InvalidParameterValue", source: queueAPI + "API_MessageAttributeValue.html",
		recorded: "2024-04-30", line: "shared/quarantine Note.Attributes", test: "TestNote",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "message_size", question: "A message whose body and attributes are a byte over 1 MiB",
		aws: "InvalidParameterValue", source: queueAPI + "API_SendMessage.html",
		recorded: "2025-08-19", line: "shared/quarantine text", test: "TestAttributesFitAMessage",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "message_move", question: "StartMessageMoveTask on a dead-letter queue",
		aws: "the message is back", source: queueAPI + "API_StartMessageMoveTask.html",
		line: "shared/cmd/tradewind/internal/redrive Run.Do", test: "TestAllGoBack",
		other: map[string]string{endpoint.MiniStack: "InvalidAction"},
	},

	// The event bus.
	{
		id: "event_not_json", question: "PutEvents with a detail that is not JSON",
		aws: "entry refused: MalformedDetail", source: putEventsEntry,
		recorded: "2025-01-08", line: "shared/relay Entry.passes", test: "TestRefusals",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "event_not_object", question: "PutEvents with a detail that is a JSON array",
		aws: "entry refused: MalformedDetail", source: putEventsEntry,
		recorded: "2025-01-08", line: "shared/relay Entry.passes", test: "TestRefusals",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "event_no_source", question: "PutEvents with an entry without source",
		aws: "entry refused: InvalidArgument", source: putEventsEntry,
		recorded: "2025-01-08", line: "shared/relay Entry.passes", test: "TestRefusals",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "event_size", question: "PutEvents with an entry over the limit, here of 1.2 MB",
		aws: "call refused", source: putEvents,
		recorded: "2025-01-08", line: "shared/relay refusedForGood", test: "TestRefusals",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
	{
		id: "event_count", question: "PutEvents with eleven entries",
		aws: "call refused", source: eventBusAPI + "API_PutEvents.html",
		recorded: "2025-01-08", line: "shared/relay fit", test: "TestWithinLimits",
	},
	{
		id: "event_no_bus", question: "PutEvents with an entry for a bus that is not there",
		aws: "taken", source: eventBusAPI + "API_PutEvents.html",
		recorded: "2025-01-08", line: "shared/relay Publisher.put", test: "TestWithinLimits",
	},
	{
		id: "event_undelivered", question: "PutEvents with an entry for a rule whose queue is gone",
		aws: "taken", source: eventBusAPI + "API_PutEvents.html",
		recorded: "2025-01-08", line: queueRule, test: rulesTest,
	},
	{
		id: "rule_dlq", question: "A rule's target is a queue that is not there; the target has a dead-letter queue",
		aws: "in the dead-letter queue", source: docs + "eventbridge/latest/userguide/eb-rule-dlq.html",
		line: queueRule, test: rulesTest,
		other: map[string]string{endpoint.MiniStack: "lost", endpoint.LocalStack: "lost"},
	},
	{
		id: "event_twice", question: "Two rules bring an event to one target",
		aws: "twice, with one id", source: docs + "eventbridge/latest/userguide/eb-rules.html",
		recorded: "2025-01-08", line: replayPlan, test: "TestReaches",
	},
	{
		id: "rule_absent_field", question: "A pattern asks with `{\"exists\": false}` that a field is not there",
		aws: "matches without it, and not with it", source: docs + "eventbridge/latest/userguide/eb-create-pattern-operators.html",
		recorded: "2025-10-15", line: "infra/service pattern", test: rulesTest,
	},
	{
		id: "rule_with_targets", question: "DeleteRule while the rule has targets",
		aws: "ValidationException", source: eventBusAPI + "API_DeleteRule.html",
		recorded: "2025-03-12", line: "shared/cmd/tradewind/internal/replay Replay.drop", test: "TestReaches",
		other: map[string]string{endpoint.MiniStack: "deleted"},
	},
	{
		id: "rule_by_target", question: "ListRuleNamesByTarget for a queue that two rules of a bus have as target",
		aws: "both", source: eventBusAPI + "API_ListRuleNamesByTarget.html",
		recorded: "2025-05-19", line: "shared/cmd/tradewind/internal/replay Replay.copy", test: "TestReaches",
	},

	// Archives and replays.
	{
		id: "archive_absent", question: "DescribeArchive of one that is not there",
		aws: absent, source: eventBusAPI + "API_DescribeArchive.html",
		recorded: "2025-03-12", line: "shared/cmd/tradewind/internal/replay Replay.archive", test: "TestGoesWrong",
	},
	{
		id: "replay", question: "An archive's events of the last hour are replayed to one of two rules",
		aws: "to that rule", source: docs + "eventbridge/latest/userguide/eb-replay-archived-event.html",
		line: replayPlan, test: "TestReaches",
		other: map[string]string{endpoint.MiniStack: "to every rule", endpoint.LocalStack: "InternalError"},
	},
	{
		id: "replay_mark", question: "What tells a replayed event from the first one",
		aws: "it has `replay-name`", source: docs + "eventbridge/latest/userguide/eb-replay-archived-event.html",
		recorded: "2024-05-27", line: replayPlan, test: "TestReaches",
	},
	{
		id: "replay_begun", question: "A replay was just started",
		aws: "STARTING, without the time of a last event", source: eventBusAPI + "API_DescribeReplay.html",
		recorded: "2024-05-27", line: "shared/cmd/tradewind/internal/replay Replay.progress", test: "TestJustBegun",
	},
	{
		id: "replay_cancelled", question: "A replay was just cancelled",
		aws: "CANCELLING", source: eventBusAPI + "API_CancelReplay.html",
		recorded: "2024-05-27", line: "shared/cmd/tradewind/internal/replay Replay.watch", test: "TestInterrupted",
	},
	{
		id: "replay_again", question: "StartReplay with the name of one that there was",
		aws: "ResourceAlreadyExistsException", source: eventBusAPI + "API_StartReplay.html",
		recorded: "2025-03-12", line: "shared/cmd/tradewind/internal/replay Replay.Do", test: "TestStartsOnce",
	},
	{
		id: "replay_elsewhere", question: "StartReplay to another bus than the archive's",
		aws: "ValidationException", source: eventBusAPI + "API_StartReplay.html",
		recorded: "2025-03-12", line: "shared/cmd/tradewind/internal/replay Replay.Do", test: "TestAsksFor",
	},
	{
		id: "replay_empty", question: "StartReplay of a window that does not begin before it ends",
		aws: "ValidationException", source: eventBusAPI + "API_StartReplay.html",
		recorded: "2025-03-12", line: "shared/cmd/tradewind/internal/command WindowFlags.Validate", test: "TestWindow",
	},
	{
		id: "replay_absent", question: "DescribeReplay of one that is not there",
		aws: absent, source: eventBusAPI + "API_DescribeReplay.html",
		recorded: "2025-03-12", line: "shared/cmd/tradewind/internal/replay Replay.sweep", test: "TestLeftBehind",
	},

	// Tables.
	{
		id: "transaction_reasons", question: "The first of a transaction's two conditions fails",
		aws: "TransactionCanceledException: ConditionalCheckFailed, None", source: transactWrite,
		recorded: "2025-10-08", line: "shared/table cancelled", test: "TestCommitErrors",
	},
	{
		id: "transaction_conflict", question: "Transactions on one item at the same time",
		aws:    "some are cancelled for TransactionConflict",
		source: docs + "amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling",
		line:   "shared/table cancelled", test: "TestCommitErrors",
		other: map[string]string{endpoint.MiniStack: "none is cancelled", endpoint.LocalStack: "none is cancelled"},
	},
	{
		id: "transaction_again", question: "A transaction's client token again, with the same content",
		aws: "taken", source: transactWrite,
		recorded: "2025-10-08", line: "shared/table dynamo.Transact", test: "TestCommitErrors",
	},
	{
		id: "transaction_token", question: "A transaction's client token again, with another content",
		aws: "IdempotentParameterMismatchException", source: transactWrite,
		line: "shared/table classify", test: "TestCommitErrors",
	},
	{
		id: "transaction_no_table", question: "A transaction on a table that is not there",
		aws: absent, source: transactWrite,
		recorded: "2025-10-08", line: "shared/table classify", test: "TestCommitErrors",
	},
	{
		id: "item_size", question: "An item of 401 KB",
		aws: "ValidationException", source: docs + "amazondynamodb/latest/developerguide/Constraints.html",
		line: "shared/outbox Outbox.record", test: "TestSize",
	},

	// Functions.
	{
		id: "function_environment", question: "A function with 5 KB of environment variables",
		aws: "refused", source: docs + "lambda/latest/dg/gettingstarted-limits.html",
		other: map[string]string{endpoint.MiniStack: "taken"},
	},
}
