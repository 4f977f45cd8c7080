package awslimits

import (
	"strings"
)

// inSeconds is a token's life, whose unit is a property of its own.
func inSeconds(c located, property, unit, otherwise string, standard float64) float64 {
	units := map[string]float64{"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
	if u := c.text("TokenValidityUnits/" + unit); u != "" {
		otherwise = u
	}
	if c.At(property) == nil {
		return standard
	}
	return c.number(property, 0) * units[otherwise]
}

func tokenValidity(s Stage, report report) {
	const hour, day = 3600.0, 86_400.0
	for c := range s.of("AWS::Cognito::UserPoolClient") {
		access := inSeconds(c, "AccessTokenValidity", "AccessToken", "hours", hour)
		if access < 300 || access > day {
			report(c, "AccessTokenValidity", "is %v s, give 5 minutes to 1 day", access)
		}
		refresh := inSeconds(c, "RefreshTokenValidity", "RefreshToken", "days", 30*day)
		if refresh < hour || refresh > 3650*day || refresh < access {
			report(c, "RefreshTokenValidity", "is %v s, give 1 hour to 3650 days, and no less than the access token's", refresh)
		}
	}
}

func signInFlows(s Stage, report report) {
	for c := range s.of("AWS::Cognito::UserPoolClient") {
		flows := c.list("ExplicitAuthFlows")
		allowed := 0
		for _, flow := range flows {
			if name, _ := text(flow); strings.HasPrefix(name, "ALLOW_") {
				allowed++
			}
		}
		if allowed != 0 && allowed != len(flows) {
			report(c, "ExplicitAuthFlows", "mixes flows with ALLOW_ and without: take those with it")
		}
	}
}

func signInAttributes(s Stage, report report) {
	for p := range s.of("AWS::Cognito::UserPool") {
		if p.At("AliasAttributes") != nil && p.At("UsernameAttributes") != nil {
			report(p, "UsernameAttributes", "is set beside AliasAttributes: take one")
		}
	}
}
