package stages

import (
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// format is what a text may be, and the same in words.
type format struct {
	fits func(string) bool
	want string
}

// formats are those that the tags of Settings name.
var formats = map[string]format{
	"account":   pattern(`\d{12}`, "the account's number, 12 digits"),
	"region":    {isRegion, "a region such as eu-central-1, of the partition aws"},
	"payments":  oneOf("sandbox", "stripe"),
	"mail":      oneOf("none", "ses"),
	"discovery": oneOf("loadbalancer", "registry", "dns"),
	"flow":      oneOf("password", "srp"),
	"canary": oneOf("none", "Canary10Percent5Minutes", "Canary10Percent10Minutes", "Canary10Percent15Minutes", "Canary10Percent30Minutes",
		"Linear10PercentEvery1Minute", "Linear10PercentEvery2Minutes", "Linear10PercentEvery3Minutes", "Linear10PercentEvery10Minutes"),
	"email":       {isEmail, "an e-mail address such as shop@example.com"},
	"zone":        pattern(zoneID+`|`+zoneName, "a zone's id such as euc1-az1, or its name such as eu-central-1a"),
	"vpc":         pattern(`vpc-([0-9a-f]{8}|[0-9a-f]{17})`, "a network's id, vpc-…"),
	"subnet":      pattern(`subnet-([0-9a-f]{8}|[0-9a-f]{17})`, "a subnet's id, subnet-…"),
	"domain":      {isDomain, "a domain name such as api.example.com"},
	"hostedZone":  pattern(`Z[0-9A-Z]{1,31}`, "a hosted zone's id, Z…"),
	"certificate": arn("acm", `certificate/[0-9a-f-]{36}`, "the ARN of a certificate, arn:aws:acm:<region>:<account>:certificate/…"),
	"secret": arn("secretsmanager", `secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}`,
		"the whole ARN of a secret, arn:aws:secretsmanager:<region>:<account>:secret:<name>-<6 characters>"),
	"topic":  arn("sns", `[A-Za-z0-9_-]{1,256}`, "the ARN of a topic, arn:aws:sns:<region>:<account>:<name>"),
	"policy": pattern(`arn:aws:iam::(\d{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+`, "the ARN of a managed policy, arn:aws:iam::<account>:policy/…"),
	"route":  pattern(`(GET|HEAD|POST|PUT|PATCH|DELETE|ANY) /\S+`, "a route's key such as POST /api/users"),
	"text":   pattern(`\S.{9,}`, "a sentence"),
	"retention": {func(s string) bool {
		days, err := strconv.Atoi(s)
		return err == nil && slices.Contains(retentions, days)
	}, "a number of days that CloudWatch takes: " + joined(retentions)},
}

// retentions are the days that CloudWatch Logs can keep a log group.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

const (
	zoneID   = `[a-z]{3,4}\d-az\d`
	zoneName = `[a-z]{2}(-[a-z]+)+-\d[a-z]`
)

func pattern(expression, want string) format {
	return format{regexp.MustCompile(`^(` + expression + `)$`).MatchString, want}
}

func arn(service, resource, want string) format {
	return pattern(`arn:aws:`+service+`:[a-z]{2}(-[a-z]+)+-\d:\d{12}:`+resource, want)
}

func oneOf(values ...string) format {
	return format{func(s string) bool { return slices.Contains(values, s) }, "one of " + strings.Join(values, ", ")}
}

var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)

// isRegion leaves out the partitions whose services have other names.
func isRegion(s string) bool {
	return region.MatchString(s) && !slices.ContainsFunc([]string{"cn-", "us-gov-", "us-iso", "eu-iso"}, func(prefix string) bool {
		return strings.HasPrefix(s, prefix)
	})
}

func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && isDomain(s[strings.LastIndexByte(s, '@')+1:])
}

var domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$`)

func isDomain(s string) bool { return len(s) <= 253 && domain.MatchString(s) }

func joined(numbers []int) string {
	var list []string
	for _, n := range numbers {
		list = append(list, strconv.Itoa(n))
	}
	return strings.Join(list, ", ")
}
