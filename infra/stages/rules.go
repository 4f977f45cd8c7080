package stages

import (
	"regexp"
	"slices"
	"strings"
)

// check finds what the values of a file cannot be together. It asks which keys are there
// rather than for values, so that a value which was refused is not missed as well.
func (r *reader) check(s Settings, stage string) {
	for _, key := range []string{"payments.provider", "mail.provider"} {
		if !r.has(key) {
			parent, _, _ := strings.Cut(key, ".")
			r.fault(r.at(parent), "%s is missing: it is %s", key, formats[parent].want)
		}
	}
	r.together("account", "region")
	r.together("network.vpc.id", "network.vpc.subnets")
	r.together("network.tls.certificate", "network.tls.domain")
	r.together("domain.name", "domain.certificate")
	r.together("budget.monthly", "budget.emails")
	r.together("mail.from", "mail.admin")
	if r.has("domain.hostedZone") && !r.has("domain.name") {
		r.fault(r.at("domain.hostedZone"), "domain.hostedZone needs domain.name, the name that its record is for")
	}
	for route, limit := range s.Throttle.Routes {
		if key := "throttle.routes." + route; limit.Rate == 0 || limit.Burst == 0 {
			r.fault(r.at(key), "%s needs rate and burst", key)
		}
	}
	r.only("payments.provider", s.Payments.Provider, map[string][]string{
		"stripe":  {"payments.secret"},
		"sandbox": {"payments.sandboxBecause"},
	})
	r.only("mail.provider", s.Mail.Provider, map[string][]string{"ses": {"mail.from", "mail.admin"}})
	if s.Payments.Provider == "stripe" && !r.has("payments.secret") {
		r.fault(r.at("payments.provider"), "payments.secret is missing: %s", formats["secret"].want)
	}
	if s.Mail.Provider == "ses" && !r.has("mail.from") && !r.has("mail.admin") {
		r.fault(r.at("mail.provider"), "mail.from and mail.admin are missing: each is %s", formats["email"].want)
	}
	if s.SignIn.VerifyEmail && r.has("mail.provider") && s.Mail.Provider == "none" {
		r.fault(r.at("signIn.verifyEmail"), "signIn.verifyEmail needs mail.provider ses, which sends the codes")
	}
	if r.has("alarms.emails") && r.has("alarms.topic") {
		r.fault(r.at("alarms.emails"), "alarms.emails and alarms.topic exclude each other: the topic has its own subscriptions")
	}
	if s.Logs.Balancer && !r.has("region") {
		r.fault(r.at("logs.balancer"), "logs.balancer needs region: in some, the balancer writes its logs as another principal")
	}
	r.network(s)
	r.regions(s)
	r.production(s, stage)
}

// together refuses one of two keys without the other.
func (r *reader) together(a, b string) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if r.has(pair[0]) && !r.has(pair[1]) {
			r.fault(r.at(pair[0]), "%s needs %s", pair[0], pair[1])
		}
	}
}

// only refuses keys that belong to another value than the chosen one: they would look as
// if they did something.
func (r *reader) only(key, chosen string, belongs map[string][]string) {
	if chosen == "" {
		return
	}
	for value, keys := range belongs {
		for _, k := range keys {
			if value != chosen && r.has(k) {
				r.fault(r.at(k), "%s does nothing while %s is %s: remove it, or choose %s", k, key, chosen, value)
			}
		}
	}
}

var zoneIDOnly = regexp.MustCompile(`^` + zoneID + `$`)

// IsZoneID reports whether a zone is named by its id, which is the same in every account.
func IsZoneID(zone string) bool { return zoneIDOnly.MatchString(zone) }

func (r *reader) network(s Settings) {
	zones, subnets := s.Network.Zones, s.Network.VPC.Subnets
	if n := len(zones); n > 0 && (n != 2 || zones[0] == zones[1] || IsZoneID(zones[0]) != IsZoneID(zones[1])) {
		r.fault(r.at("network.zones"), "network.zones are two different zones, both by id or both by name")
	}
	if n := len(subnets); n > 0 && (n != 2 || subnets[0] == subnets[1]) {
		r.fault(r.at("network.vpc.subnets"), "network.vpc.subnets are two, in two zones")
	}
	if r.has("network.vpc.id") {
		for _, key := range []string{"network.zones", "logs.flow"} {
			if r.has(key) && (key != "logs.flow" || s.Logs.Flow) {
				r.fault(r.at(key), "%s is decided by the owner of network.vpc: remove it", key)
			}
		}
	}
	if r.has("network.tls") && s.Discovery == "dns" {
		r.fault(r.at("discovery"), "discovery dns calls addresses, which no certificate names: with network.tls it is loadbalancer or registry")
	}
}

// regions refuses what is in another region than the stage, where AWS would refuse it in
// the middle of a deployment.
func (r *reader) regions(s Settings) {
	if s.Region == "" {
		return
	}
	for key, value := range map[string]string{
		"payments.secret": s.Payments.Secret, "alarms.topic": s.Alarms.Topic,
		"network.tls.certificate": s.Network.TLS.Certificate, "domain.certificate": s.Domain.Certificate,
	} {
		if value != "" && strings.Split(value, ":")[3] != s.Region {
			r.fault(r.at(key), "%s is not in the stage's region, %s", key, s.Region)
		}
	}
	for _, zone := range s.Network.Zones {
		if !IsZoneID(zone) && zone[:len(zone)-1] != s.Region {
			r.fault(r.at("network.zones"), "the zone %s is not in the stage's region, %s", zone, s.Region)
		}
	}
}

// production refuses what real customers cannot rely on.
func (r *reader) production(s Settings, stage string) {
	if strings.HasPrefix(stage, "prod") && !s.Production {
		r.fault(r.at("production"), "production is not true: a stage called %s has real customers", stage)
	}
	if !s.Production {
		return
	}
	if !r.has("account") && !r.has("region") {
		r.fault(r.at("production"), "a production stage names its account and region")
	}
	if s.Payments.Provider == "sandbox" && !r.has("payments.sandboxBecause") {
		r.fault(r.at("payments.provider"), "the sandbox moves no money, so a production stage would give its goods away: choose stripe, or say in payments.sandboxBecause why not")
	}
	if !slices.ContainsFunc([]string{"alarms.emails", "alarms.topic"}, r.has) {
		r.fault(r.at("alarms"), "a production stage names in alarms.emails or alarms.topic who receives its alarms")
	}
	if !s.Protection.Stacks || !s.Protection.Data {
		r.fault(r.at("protection"), "a production stage has protection.stacks and protection.data: both are true")
	}
}
