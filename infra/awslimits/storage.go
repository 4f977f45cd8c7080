package awslimits

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var parameterNames = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*$`)

func parameterName(s Stage, report report) {
	const (
		levels = 15
		most   = 1011 // with its ARN
		arn    = len("arn:aws:ssm:ap-northeast-1:111122223333:parameter/")
	)
	for p := range s.of("AWS::SSM::Parameter") {
		name, exact := text(p.At("Name"))
		if !exact {
			continue
		}
		first := strings.ToLower(strings.TrimPrefix(name, "/"))
		inner := strings.Contains(strings.TrimPrefix(name, "/"), "/")
		switch {
		case !parameterNames.MatchString(name) || inner && !strings.HasPrefix(name, "/"):
			report(p, "Name", "is %q: take letters, digits, _.- and slashes, the first at the beginning", name)
		case strings.HasPrefix(first, "aws") || strings.HasPrefix(first, "ssm"):
			report(p, "Name", "is %q: do not begin with aws or ssm", name)
		case strings.Count(name, "/") > levels || len(name)+arn > most:
			report(p, "Name", "has %d levels and %d characters, at most %d and %d are taken: shorten it", strings.Count(name, "/"), len(name), levels, most-arn)
		}
	}
}

func parameterValue(s Stage, report report) {
	const most = 4096
	for p := range s.of("AWS::SSM::Parameter") {
		value := p.text("Value")
		if len(value) > most && p.text("Tier") != "Advanced" {
			report(p, "Value", "has %d bytes, at most %d are taken: shorten it", len(value), most)
		}
		if strings.Contains(value, "{{") {
			report(p, "Value", "is %q, a parameter refers to no other: give the value", value)
		}
	}
}

var tableNames = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

func tableName(s Stage, report report) {
	for t := range s.of("AWS::DynamoDB::GlobalTable") {
		if name, exact := text(t.At("TableName")); exact && !tableNames.MatchString(name) {
			report(t, "TableName", "is %q: take 3 to 255 letters, digits and _.-", name)
		}
	}
}

func tableKeys(s Stage, report report) {
	const most = 20
	for t := range s.of("AWS::DynamoDB::GlobalTable") {
		used := map[any]bool{}
		keys := func(path string) {
			kinds := ""
			for _, key := range t.list(path) {
				kind, _ := text(at(key, "KeyType"))
				kinds += kind + " "
				used[at(key, "AttributeName")] = true
			}
			if kinds != "HASH " && kinds != "HASH RANGE " {
				report(t, path, "is %q, give HASH, or HASH and RANGE", strings.TrimSpace(kinds))
			}
		}
		keys("KeySchema")
		indexes := t.list("GlobalSecondaryIndexes")
		for i := range indexes {
			keys(fmt.Sprintf("GlobalSecondaryIndexes/%d/KeySchema", i))
		}
		if len(indexes) > most {
			report(t, "GlobalSecondaryIndexes", "has %d, at most %d are taken", len(indexes), most)
		}
		if fault := repeated(indexes, func(index any) any { return at(index, "IndexName") }); fault != "" {
			report(t, "GlobalSecondaryIndexes", "%s", fault)
		}
		defined := map[any]bool{}
		for _, attribute := range t.list("AttributeDefinitions") {
			defined[at(attribute, "AttributeName")] = true
		}
		if !maps.Equal(used, defined) {
			report(t, "AttributeDefinitions", "defines %v, the keys use %v: define those and no other", slices.Collect(maps.Keys(defined)), slices.Collect(maps.Keys(used)))
		}
	}
}

func tableReplicas(s Stage, report report) {
	for t := range s.of("AWS::DynamoDB::GlobalTable") {
		own := false
		indexes := map[any]bool{}
		for _, index := range t.list("GlobalSecondaryIndexes") {
			indexes[at(index, "IndexName")] = true
		}
		replicas := t.list("Replicas")
		for i, replica := range replicas {
			region, exact := text(at(replica, "Region"))
			own = own || !exact || region == pseudo["AWS::Region"]
			for j, index := range list(at(replica, "GlobalSecondaryIndexes")) {
				if !indexes[at(index, "IndexName")] {
					report(t, fmt.Sprintf("Replicas/%d/GlobalSecondaryIndexes/%d", i, j), "is %v, which the table has not", at(index, "IndexName"))
				}
			}
		}
		if !own {
			report(t, "Replicas", "has none in the stack's own region: add it")
		}
		if len(replicas) > 1 && t.text("StreamSpecification/StreamViewType") != "NEW_AND_OLD_IMAGES" {
			report(t, "StreamSpecification", "must give NEW_AND_OLD_IMAGES for several replicas")
		}
	}
}
