package up

import (
	"strings"
	"sync"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tradewind/localstack/internal/cdk"
	"tradewind/localstack/internal/endpoint"
	"tradewind/localstack/internal/endpoint/fixups"
	"tradewind/localstack/internal/shop"
)

func (r *run) aws() aws.Config { return endpoint.AWS(r.endpoint.URL(), endpoint.Region) }

// describe tells where everything is, from the outputs of the stacks.
func describe(url string, deployed cdk.Outputs) shop.Outputs {
	platform := deployed[stacks+"platform"]
	o := shop.Outputs{
		Endpoint:   url,
		Region:     endpoint.Region,
		APIURL:     url + "/_aws/execute-api/" + platform["ApiId"] + "/$default",
		ALBURL:     fixups.BalancerURL(url, balancer),
		UserPoolID: platform["UserPoolId"],
		ClientID:   platform["UserPoolClientId"],
		Queues:     map[string]string{},
		Tables:     map[string]string{},
	}
	for stack, values := range deployed {
		service := strings.TrimPrefix(stack, stacks)
		for key, value := range values {
			if name, ok := strings.CutSuffix(key, "QueueUrl"); ok {
				o.Queues[service+"-"+kebab(name)] = value
			} else if name, ok := strings.CutSuffix(key, "Url"); ok && strings.HasSuffix(name, "Dlq") {
				o.Queues[service+"-"+kebab(name)] = value
			} else if key == "TableName" {
				o.Tables[service] = value
			}
		}
	}
	return o
}

// kebab turns "ConsumerDlq" into "consumer-dlq".
func kebab(camel string) string {
	var b strings.Builder
	for i, c := range camel {
		if unicode.IsUpper(c) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// latest is the last remark of a step at work.
type latest struct {
	mu   sync.Mutex
	text string
}

func (l *latest) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

func (l *latest) or(other string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		return l.text
	}
	return other
}
