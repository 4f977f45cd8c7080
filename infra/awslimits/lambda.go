package awslimits

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func environmentSize(s Stage, report report) {
	const most = 4096
	for f := range s.of("AWS::Lambda::Function") {
		variables, _ := f.At("Environment/Variables").(map[string]any)
		size := 0
		for name, value := range variables {
			v, _ := estimated(value).(string)
			size += len(name) + len(v)
		}
		if size > most {
			report(f, "Environment/Variables", "take about %d bytes, at most %d are taken: keep long values in a parameter that the function reads", size, most)
		}
	}
}

// reserved are the variables that Lambda sets itself. The rest of its list begins with
// AWS_LAMBDA_.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_REGION",
	"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR",
	"LAMBDA_TASK_ROOT", "TZ",
}

func environmentNames(s Stage, report report) {
	for f := range s.of("AWS::Lambda::Function") {
		variables, _ := f.At("Environment/Variables").(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			if slices.Contains(reserved, name) || strings.HasPrefix(name, "AWS_LAMBDA_") {
				report(f, "Environment/Variables/"+name, "is a name that Lambda keeps for itself: take another")
			}
		}
	}
}

func functionLimits(s Stage, report report) {
	for f := range s.of("AWS::Lambda::Function") {
		if seconds := f.number("Timeout", 3); seconds > 900 {
			report(f, "Timeout", "is %v s, give at most 900", seconds)
		}
		if memory := f.number("MemorySize", 128); memory > 10_240 {
			report(f, "MemorySize", "is %v MB, give at most 10240", memory)
		}
	}
}

func functionPolicySize(s Stage, report report) {
	const most = 20_480
	sizes := map[string]int{}
	for p := range s.of("AWS::Lambda::Permission") {
		key := p.stack + "/" + ref(p.At("FunctionName"))
		before := sizes[key]
		// Lambda adds about 350 characters to the values, the statement's id included.
		sizes[key] += 350 + estimatedSize(p.Properties)
		if before <= most && sizes[key] > most {
			report(p, "", "makes the policy of %s about %d characters long, at most %d are taken: permit more with one pattern", key, sizes[key], most)
		}
	}
}

// policyBeforeUse finds mappings, and functions in a network, that may be made before
// the policy of the function's role. Lambda tries the role at once: a mapping must be able
// to read its source, and a function in a network to make interfaces there. CloudFormation makes a role's policy at the same time, unless it is
// told to wait.
func policyBeforeUse(s Stage, report report) {
	check := func(user, function located) {
		role := ref(function.At("Role"))
		for p := range s.of("AWS::IAM::Policy") {
			if p.stack == user.stack && ref(p.At("Roles")) == role && !s[user.stack].needs(user.id, p.id) {
				report(user, "DependsOn", "may be made before %s, the policy of its role: depend on that", p.id)
			}
		}
	}
	for m := range s.of("AWS::Lambda::EventSourceMapping") {
		check(m, s.function(m, "FunctionName"))
	}
	for f := range s.of("AWS::Lambda::Function") {
		if f.At("VpcConfig") != nil {
			check(f, f)
		}
	}
}

// ofStreams are the settings of mappings that queues have not, ofQueues the others.
var (
	ofStreams = []string{
		"StartingPosition", "StartingPositionTimestamp", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds",
		"ParallelizationFactor", "TumblingWindowInSeconds", "DestinationConfig",
	}
	ofQueues = []string{"ScalingConfig"}
)

func mappingSource(s Stage, report report) {
	for m := range s.of("AWS::Lambda::EventSourceMapping") {
		source, wrong := s.target(m, "EventSourceArn").Type, ofQueues
		if source == "AWS::SQS::Queue" {
			wrong = ofStreams
		} else if m.At("StartingPosition") == nil {
			report(m, "StartingPosition", "is missing, which a stream needs: say where to begin")
		}
		for _, property := range wrong {
			if m.At(property) != nil {
				report(m, property, "is nothing that %s has: drop it", source)
			}
		}
		if age := m.number("MaximumRecordAgeInSeconds", -1); age >= 0 && age < 60 {
			report(m, "MaximumRecordAgeInSeconds", "is %v, give -1 or at least 60", age)
		}
	}
}

// The page asks for a window of streams too. Their default, 100 records and no window,
// shows that it means queues.
func mappingBatch(s Stage, report report) {
	for m := range s.of("AWS::Lambda::EventSourceMapping") {
		queue := s.target(m, "EventSourceArn")
		size := m.number("BatchSize", 10)
		if queue.Type != "AWS::SQS::Queue" || size <= 10 {
			continue
		}
		if m.number("MaximumBatchingWindowInSeconds", 0) < 1 {
			report(m, "BatchSize", "is %v, more than 10 need a MaximumBatchingWindowInSeconds of 1 or more: set it", size)
		}
	}
}

// recordKeys are the parts of a record that a filter may ask for, by its source.
var recordKeys = map[string][]string{
	"AWS::SQS::Queue":            {"body"},
	"AWS::DynamoDB::GlobalTable": {"dynamodb", "eventName", "userIdentity"},
}

func mappingFilters(s Stage, report report) {
	const most = 5
	for m := range s.of("AWS::Lambda::EventSourceMapping") {
		filters := m.list("FilterCriteria/Filters")
		if len(filters) > most {
			report(m, "FilterCriteria/Filters", "has %d, at most %d are taken: join some", len(filters), most)
		}
		source := s.target(m, "EventSourceArn").Type
		for i, filter := range filters {
			path := fmt.Sprintf("FilterCriteria/Filters/%d/Pattern", i)
			written, exact := text(at(filter, "Pattern"))
			var pattern map[string]any
			if err := json.Unmarshal([]byte(written), &pattern); err != nil {
				if exact {
					report(m, path, "is no JSON object: %v", err)
				}
				continue
			}
			for key := range pattern {
				if keys := recordKeys[source]; keys != nil && !slices.Contains(keys, key) {
					report(m, path, "asks for %s, a record of %s is filtered by %s", key, source, strings.Join(keys, ", "))
				}
			}
			for _, fault := range PatternFaults(pattern) {
				report(m, path, "%s", fault)
			}
		}
	}
}

// queueVisibility wants six times the function's timeout, as AWS advises: Lambda refuses
// less than one, and with less than six, a message that is throttled comes twice.
func queueVisibility(s Stage, report report) {
	for m := range s.of("AWS::Lambda::EventSourceMapping") {
		queue, function := s.target(m, "EventSourceArn"), s.function(m, "FunctionName")
		if queue.Type != "AWS::SQS::Queue" || function.Type != "AWS::Lambda::Function" {
			continue
		}
		hidden := queue.number("VisibilityTimeout", 30)
		if least := 6*function.number("Timeout", 3) + m.number("MaximumBatchingWindowInSeconds", 0); hidden < least {
			report(queue, "VisibilityTimeout", "is %v s, %s needs %v: six times its timeout, and the batching window", hidden, function.id, least)
		}
	}
}
