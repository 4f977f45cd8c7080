package awslimits

import (
	"fmt"
	"net/netip"
	"regexp"
)

func instanceAttributes(s Stage, report report) {
	for i := range s.of("AWS::ServiceDiscovery::Instance") {
		attributes, _ := i.At("InstanceAttributes").(map[string]any)
		size := 0
		for name, value := range attributes {
			v, _ := estimated(value).(string)
			size += len(name) + len(v)
			if len(v) > 1024 {
				report(i, "InstanceAttributes/"+name, "has %d characters, at most 1024 are taken: shorten it", len(v))
			}
		}
		if len(attributes) > 30 || size > 5000 {
			report(i, "InstanceAttributes", "are %d with about %d characters, at most 30 and 5000 are taken: drop some", len(attributes), size)
		}
	}
}

func aliasRecord(s Stage, report report) {
	for r := range s.of("AWS::Route53::RecordSet") {
		alias := r.At("AliasTarget") != nil
		if alias == (r.At("ResourceRecords") != nil) || alias && r.At("TTL") != nil {
			report(r, "AliasTarget", "is set: %v, beside ResourceRecords and TTL or without any: give one", alias)
		}
	}
}

func addressRanges(s Stage, report report) {
	taken := map[string][]netip.Prefix{}
	for subnet := range s.of("AWS::EC2::Subnet") {
		inner, err := netip.ParsePrefix(subnet.text("CidrBlock"))
		if err != nil {
			continue
		}
		network := s.target(subnet, "VpcId")
		outer, err := netip.ParsePrefix(network.text("CidrBlock"))
		if inner.Bits() < 16 || inner.Bits() > 28 {
			report(subnet, "CidrBlock", "is %v, give a /16 to a /28", inner)
		}
		if err == nil && (!outer.Overlaps(inner) || outer.Bits() > inner.Bits()) {
			report(subnet, "CidrBlock", "is %v, which is not in the network's %v", inner, outer)
		}
		key := subnet.stack + "/" + network.id
		for _, other := range taken[key] {
			if other.Overlaps(inner) {
				report(subnet, "CidrBlock", "is %v, which overlaps another subnet's %v", inner, other)
			}
		}
		taken[key] = append(taken[key], inner)
	}
	for network := range s.of("AWS::EC2::VPC") {
		if block, err := netip.ParsePrefix(network.text("CidrBlock")); err == nil && (block.Bits() < 16 || block.Bits() > 28) {
			report(network, "CidrBlock", "is %v, give a /16 to a /28", block)
		}
	}
}

var groupText = regexp.MustCompile(`^[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{0,255}$`)

func groupRules(s Stage, report report) {
	const most = 60
	for g := range s.of("AWS::EC2::SecurityGroup") {
		for _, direction := range []string{"SecurityGroupIngress", "SecurityGroupEgress"} {
			rules := g.list(direction)
			if len(rules) > most {
				report(g, direction, "has %d rules, at most %d are taken: use a prefix list", len(rules), most)
			}
			for i, rule := range rules {
				path := fmt.Sprint(direction, "/", i)
				if description, exact := text(at(rule, "Description")); exact && !groupText.MatchString(description) {
					report(g, path+"/Description", "is %q: take at most 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*", description)
				}
				protocol, _ := text(at(rule, "IpProtocol")) // of others, these are no ports
				from, _ := number(at(rule, "FromPort"))
				to, ok := number(at(rule, "ToPort"))
				if ok && from > to && (protocol == "tcp" || protocol == "udp") {
					report(g, path+"/ToPort", "is %v, which is below FromPort, %v", to, from)
				}
			}
		}
	}
}

func privateDNS(s Stage, report report) {
	for e := range s.of("AWS::EC2::VPCEndpoint") {
		network := s.target(e, "VpcId")
		if e.At("PrivateDnsEnabled") != true || network.Type != "AWS::EC2::VPC" {
			continue
		}
		for _, property := range []string{"EnableDnsHostnames", "EnableDnsSupport"} {
			if network.At(property) != true {
				report(network, property, "is not true, which the private names of %s need: set it", e.id)
			}
		}
		if e.text("VpcEndpointType") != "Interface" {
			report(e, "PrivateDnsEnabled", "is nothing that an endpoint of type %s has: drop it", e.text("VpcEndpointType"))
		}
	}
}
