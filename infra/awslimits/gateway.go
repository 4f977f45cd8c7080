package awslimits

import (
	"regexp"
	"slices"
	"strings"
)

func apiQuotas(s Stage, report report) {
	quota(s, report, "AWS::ApiGatewayV2::Route", 300, "API", "serve several paths by one route with {proxy+}")
	quota(s, report, "AWS::ApiGatewayV2::Integration", 300, "API", "share one between routes")
	quota(s, report, "AWS::ApiGatewayV2::Authorizer", 10, "API", "share one between services")
	for a := range s.of("AWS::ApiGatewayV2::Authorizer") {
		if n := len(a.list("JwtConfiguration/Audience")); n > 50 {
			report(a, "JwtConfiguration/Audience", "has %d, at most 50 are taken", n)
		}
	}
	for r := range s.of("AWS::ApiGatewayV2::Route") {
		if n := len(r.list("AuthorizationScopes")); n > 10 {
			report(r, "AuthorizationScopes", "has %d, at most 10 are taken", n)
		}
	}
}

// routeKey is a method and a path, whose parameters are whole segments, the last of
// which may be greedy.
var routeKey = regexp.MustCompile(`^(?:\$default|(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) (?:/|(?:/(?:[A-Za-z0-9._~:-]+|\{[A-Za-z0-9._:-]+\}))*(?:/\{[A-Za-z0-9._:-]+\+\})?))$`)

func apiRoutes(s Stage, report report) {
	seen := map[string]located{}
	for r := range s.of("AWS::ApiGatewayV2::Route") {
		key := r.text("RouteKey")
		if !routeKey.MatchString(key) {
			report(r, "RouteKey", "is %q, give a method and a path such as GET /a/{id}, or $default", key)
		}
		if other, taken := seen[key]; taken {
			report(r, "RouteKey", "is %q, as that of %s/%s: a route is made once for an API", key, other.stack, other.id)
		}
		seen[key] = r
	}
}

func apiIntegration(s Stage, report report) {
	for i := range s.of("AWS::ApiGatewayV2::Integration") {
		kind := i.text("IntegrationType")
		if kind != "AWS_PROXY" && kind != "HTTP_PROXY" {
			report(i, "IntegrationType", "is %s, an HTTP API has AWS_PROXY and HTTP_PROXY", kind)
		}
		formats := []string{"1.0"}
		if kind == "AWS_PROXY" {
			formats = append(formats, "2.0")
		}
		if format := i.text("PayloadFormatVersion"); !slices.Contains(formats, format) {
			report(i, "PayloadFormatVersion", "is %q, give %s", format, strings.Join(formats, " or "))
		}
		function := s.function(i, "IntegrationUri")
		if wait := i.number("TimeoutInMillis", 30_000); function.number("Timeout", 3)*1000 >= wait {
			report(i, "TimeoutInMillis", "ends after %v ms, before %s, which may take %v s: give the function less", wait, function.id, function.number("Timeout", 3))
		}
	}
}

func apiAuthorizer(s Stage, report report) {
	for a := range s.of("AWS::ApiGatewayV2::Authorizer") {
		if a.text("AuthorizerType") != "JWT" {
			continue
		}
		for _, path := range []string{"JwtConfiguration/Issuer", "JwtConfiguration/Audience", "IdentitySource"} {
			if len(a.list(path)) == 0 {
				report(a, path, "is missing, which a JWT authorizer needs")
			}
		}
		for _, source := range a.list("IdentitySource") {
			if s, exact := text(source); exact && !strings.HasPrefix(s, "$request.header.") && !strings.HasPrefix(s, "$request.querystring.") {
				report(a, "IdentitySource", "is %q, give a header or a query parameter such as $request.header.Authorization", s)
			}
		}
	}
	for r := range s.of("AWS::ApiGatewayV2::Route") {
		kind, authorizer := r.text("AuthorizationType"), r.At("AuthorizerId") != nil
		if wanted := kind == "JWT" || kind == "CUSTOM"; authorizer != wanted {
			report(r, "AuthorizerId", "is set: %v, for the type %s it must be: %v", authorizer, kind, wanted)
		}
	}
}
