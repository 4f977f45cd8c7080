package awslimits

import "strings"

// docs is where most rules are stated.
const docs = "https://docs.aws.amazon.com/"

// Rules are the limits that AWS states in prose only, as far as these templates can
// reach them.
var Rules = []Rule{
	{"template-size", docs + "AWSCloudFormation/latest/UserGuide/cloudformation-limits.html", templateSize},
	{"dynamic-references", docs + "AWSCloudFormation/latest/UserGuide/dynamic-references.html", dynamicReferences},
	{"references", docs + "AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getatt.html", resolvedReferences},
	{"logical-ids", docs + "AWSCloudFormation/latest/UserGuide/resources-section-structure.html", logicalIDs},
	{"unique-names", docs + "AWSCloudFormation/latest/TemplateReference/aws-properties-name.html", uniqueNames},
	{"empty-text", "https://github.com/aws/aws-cdk/issues/37847", emptyText},
	{"tags", docs + "tag-editor/latest/userguide/best-practices-and-strats.html", tags},
	{"custom-resource-timeout", docs + "AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html", customResourceTimeout},

	{"environment-size", docs + "lambda/latest/dg/configuration-envvars.html", environmentSize},
	{"environment-names", docs + "lambda/latest/dg/configuration-envvars.html", environmentNames},
	{"function-limits", docs + "lambda/latest/dg/gettingstarted-limits.html", functionLimits},
	{"function-policy-size", docs + "lambda/latest/dg/gettingstarted-limits.html", functionPolicySize},
	{"policy-before-use", docs + "lambda/latest/dg/services-sqs-configure.html", policyBeforeUse},
	{"mapping-source", docs + "lambda/latest/api/API_CreateEventSourceMapping.html", mappingSource},
	{"mapping-batch", docs + "lambda/latest/api/API_CreateEventSourceMapping.html", mappingBatch},
	{"mapping-filters", docs + "lambda/latest/dg/invocation-eventfiltering.html", mappingFilters},
	{"queue-visibility", docs + "lambda/latest/dg/services-sqs-configure.html", queueVisibility},

	{"api-quotas", docs + "apigateway/latest/developerguide/http-api-quotas.html", apiQuotas},
	{"api-routes", docs + "apigateway/latest/developerguide/http-api-develop-routes.html", apiRoutes},
	{"api-integration", docs + "apigateway/latest/developerguide/http-api-develop-integrations-lambda.html", apiIntegration},
	{"api-authorizer", docs + "apigateway/latest/developerguide/http-api-jwt-authorizer.html", apiAuthorizer},

	{"host-conditions", docs + "elasticloadbalancing/latest/APIReference/API_HostHeaderConditionConfig.html", hostConditions},
	{"path-conditions", docs + "elasticloadbalancing/latest/application/rule-condition-types.html", pathConditions},
	{"listener-quotas", docs + "elasticloadbalancing/latest/application/load-balancer-limits.html", listenerQuotas},
	{"listener-priorities", docs + "elasticloadbalancing/latest/APIReference/API_CreateRule.html", listenerPriorities},
	{"fixed-response", docs + "elasticloadbalancing/latest/APIReference/API_FixedResponseActionConfig.html", fixedResponse},
	{"balancer-names", docs + "elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html", balancerNames},
	{"balancer-subnets", docs + "elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html", balancerSubnets},
	{"health-check", "https://github.com/terraform-linters/tflint-ruleset-aws/issues/404", healthCheck},
	{"function-target-group", docs + "elasticloadbalancing/latest/application/lambda-functions.html", functionTargetGroup},

	{"rule-targets", docs + "eventbridge/latest/APIReference/API_PutTargets.html", ruleTargets},
	{"bus-quotas", docs + "eventbridge/latest/userguide/eb-quota.html", busQuotas},
	{"bus-name", docs + "eventbridge/latest/APIReference/API_CreateEventBus.html", busName},
	{"event-pattern", docs + "eventbridge/latest/userguide/eb-create-pattern-operators.html", eventPattern},
	{"schedule", docs + "eventbridge/latest/userguide/eb-create-rule-schedule.html", schedule},

	{"queue-name", docs + "AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html", queueName},
	{"queue-name-reuse", docs + "AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html", queueNameReuse},
	{"queue-redrive", docs + "AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html", queueRedrive},
	{"queue-policy-size", docs + "AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html", queuePolicySize},
	{"one-policy", docs + "AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html", onePolicy},

	{"role-policy-size", docs + "IAM/latest/UserGuide/reference_iam-quotas.html", rolePolicySize},
	{"policy-grammar", docs + "IAM/latest/UserGuide/reference_policies_grammar.html", policyGrammar},

	{"alarm-period", docs + "AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html", alarmPeriod},
	{"alarm-metric", docs + "AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html", alarmMetric},
	{"alarm-expression", docs + "AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html", alarmExpression},
	{"log-group-name", docs + "AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html", logGroupName},

	{"parameter-name", docs + "systems-manager/latest/APIReference/API_PutParameter.html", parameterName},
	{"parameter-value", docs + "systems-manager/latest/APIReference/API_PutParameter.html", parameterValue},

	{"table-name", docs + "amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html", tableName},
	{"table-keys", docs + "amazondynamodb/latest/APIReference/API_CreateTable.html", tableKeys},
	{"table-replicas", docs + "AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html", tableReplicas},

	{"token-validity", docs + "cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html", tokenValidity},
	{"sign-in-flows", docs + "cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html", signInFlows},
	{"sign-in-attributes", docs + "cognito/latest/developerguide/user-pool-settings-attributes.html", signInAttributes},

	{"instance-attributes", docs + "cloud-map/latest/api/API_RegisterInstance.html", instanceAttributes},
	{"alias-record", docs + "Route53/latest/APIReference/API_ResourceRecordSet.html", aliasRecord},
	{"address-ranges", docs + "AWSEC2/latest/APIReference/API_CreateSubnet.html", addressRanges},
	{"group-rules", docs + "AWSEC2/latest/APIReference/API_IpRange.html", groupRules},
	{"private-dns", docs + "AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html", privateDNS},
}

// unknownSize is how long a text counts that is known at the deployment only: about an
// ARN.
const unknownSize = 100

// Estimated is a value without intrinsic functions: with a text in place of everything
// known at the deployment only.
func Estimated(v map[string]any) map[string]any { return estimated(v).(map[string]any) }

// estimated is a value with a text in place of everything known at the deployment only.
func estimated(v any) any {
	if fn, _ := intrinsic(v); fn != "" {
		s, exact := text(v)
		if !exact {
			s += strings.Repeat("x", unknownSize)
		}
		return s
	}
	switch v := v.(type) {
	case map[string]any:
		made := map[string]any{}
		for key, item := range v {
			made[key] = estimated(item)
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, item := range v {
			made[i] = estimated(item)
		}
		return made
	}
	return v
}

// estimatedSize is about how many characters a value has as JSON.
func estimatedSize(v any) int {
	s, _ := rendered(map[string]any{"": estimated(v)})
	return len(s) - len(`{"":}`)
}

// quota reports the first resource of a type above a limit that all of a stage share.
func quota(s Stage, report report, kind string, limit int, whose, remedy string) {
	n := 0
	for r := range s.of(kind) {
		if n++; n == limit+1 {
			report(r, "", "is number %d of its type for one %s, at most %d are allowed: %s", n, whose, limit, remedy)
		}
	}
}
