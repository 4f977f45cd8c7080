package front

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// httpAPI is what the templates say of the gateway.
type httpAPI struct {
	id     string
	cors   *cors
	routes []*route // the most specific first
}

// route is a route of the HTTP API.
type route struct {
	key        string   // "GET /api/orders/{id}"
	method     string   // "ANY" for all
	path       []string // none for the default route
	target     target
	timeout    time.Duration
	authorizer *authorizer // nil: open to anyone
	scopes     []string    // one of which a token must have, if there are any
}

// authorizer is a JWT authorizer.
type authorizer struct {
	issuer   string
	audience []string
	keys     *keySet
}

// cors are the HTTP API's cross-origin rules.
type cors struct {
	AllowOrigins, AllowMethods, AllowHeaders, ExposeHeaders []string
	AllowCredentials                                        bool
	MaxAge                                                  int
}

// template is the part of a template that is looked at.
type template struct {
	stack      string
	Parameters map[string]struct{ Type, Default string }
	Resources  map[string]resource
	parameter  func(name string) (string, error)
	app        []*template // all of them
}

type resource struct {
	Type       string
	Properties json.RawMessage
}

// readHTTPAPI reads all templates of an app. parameter reads an SSM parameter, by
// which a template knows what another stack made.
func readHTTPAPI(app string, parameter func(name string) (string, error)) (*httpAPI, error) {
	paths, err := filepath.Glob(filepath.Join(app, "*.template.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no template in %s", app)
	}
	var all []*template
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		t := &template{stack: strings.TrimSuffix(filepath.Base(path), ".template.json"), parameter: parameter}
		if err := json.Unmarshal(text, t); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, t)
	}
	p := &httpAPI{}
	for i, t := range all {
		t.app = all
		if err := t.add(p); err != nil {
			return nil, fmt.Errorf("read %s: %w", paths[i], err)
		}
	}
	slices.SortFunc(p.routes, moreSpecific)
	return p, nil
}

// add adds what a template holds.
func (t *template) add(p *httpAPI) error {
	for id, r := range t.Resources {
		var err error
		switch r.Type {
		case "AWS::ApiGatewayV2::Api":
			err = t.addAPI(p, id)
		case "AWS::ApiGatewayV2::Route":
			err = t.addRoute(p, id)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

func (t *template) addAPI(p *httpAPI, id string) error {
	var api struct {
		ProtocolType      string
		CorsConfiguration *cors
	}
	if err := t.properties(id, &api); err != nil {
		return err
	}
	if api.ProtocolType != "HTTP" {
		return fmt.Errorf("an API of the protocol %q is not played", api.ProtocolType)
	}
	p.id, p.cors = id, api.CorsConfiguration
	return nil
}

func (t *template) addRoute(p *httpAPI, id string) error {
	var props struct {
		RouteKey, AuthorizationType string
		AuthorizationScopes         []string
		AuthorizerID                value `json:"AuthorizerId"`
		Target                      value
	}
	if err := t.properties(id, &props); err != nil {
		return err
	}
	r := &route{key: props.RouteKey, method: "ANY", scopes: props.AuthorizationScopes}
	if method, path, ok := strings.Cut(props.RouteKey, " "); ok {
		r.method, r.path = method, segments(path)
	} else if props.RouteKey != defaultRoute {
		return fmt.Errorf("the route key %q is not played", props.RouteKey)
	}
	at, err := t.text(props.Target)
	if err != nil {
		return err
	}
	if err := t.integrate(r, strings.TrimPrefix(at, "integrations/")); err != nil {
		return err
	}
	switch props.AuthorizationType {
	case "", "NONE":
	case "JWT":
		if r.authorizer, err = t.authorizer(props.AuthorizerID); err != nil {
			return err
		}
	default:
		return fmt.Errorf("authorization %q is not played", props.AuthorizationType)
	}
	p.routes = append(p.routes, r)
	return nil
}

func (t *template) integrate(r *route, id string) error {
	var props struct {
		IntegrationType, PayloadFormatVersion string
		IntegrationURI                        value `json:"IntegrationUri"`
		TimeoutInMillis                       int
	}
	if err := t.properties(id, &props); err != nil {
		return err
	}
	if props.IntegrationType != "AWS_PROXY" || props.PayloadFormatVersion != "2.0" {
		return fmt.Errorf("the integration %s with payload %q is not played", props.IntegrationType, props.PayloadFormatVersion)
	}
	r.timeout = 30 * time.Second
	if props.TimeoutInMillis > 0 {
		r.timeout = time.Duration(props.TimeoutInMillis) * time.Millisecond
	}
	var err error
	r.target, err = t.function(props.IntegrationURI)
	return err
}

// authorizer finds the authorizer that a value refers to. The template of another stack
// may have it, and has written its id to a parameter.
func (t *template) authorizer(ref value) (*authorizer, error) {
	id, _ := ref.refers()
	if p, ok := t.Parameters[id]; ok {
		for _, other := range t.app {
			if v, ok := other.written()[p.Default]; ok {
				return other.authorizer(v)
			}
		}
		return nil, fmt.Errorf("no stack writes the parameter %s", p.Default)
	}
	var props struct {
		IdentitySource   []string
		JWTConfiguration struct {
			Issuer   value
			Audience []value
		} `json:"JwtConfiguration"`
	}
	if err := t.properties(id, &props); err != nil {
		return nil, err
	}
	if !slices.Equal(props.IdentitySource, []string{"$request.header.Authorization"}) {
		return nil, fmt.Errorf("the identity source %v is not played", props.IdentitySource)
	}
	a := &authorizer{}
	var err error
	if a.issuer, err = t.deployed(props.JWTConfiguration.Issuer); err != nil {
		return nil, err
	}
	for _, v := range props.JWTConfiguration.Audience {
		audience, err := t.deployed(v)
		if err != nil {
			return nil, err
		}
		a.audience = append(a.audience, audience)
	}
	return a, nil
}

// function finds the function, or the alias of one, that a value refers to.
func (t *template) function(v value) (target, error) {
	id, ok := v.refers()
	if !ok {
		return target{}, fmt.Errorf("%s refers to no function", v)
	}
	switch r := t.Resources[id]; r.Type {
	case "AWS::Lambda::Function":
		var props struct{ FunctionName string }
		if err := t.properties(id, &props); err != nil {
			return target{}, err
		}
		if props.FunctionName == "" {
			return target{}, fmt.Errorf("the function %s has no name of its own", id)
		}
		return target{function: props.FunctionName}, nil
	case "AWS::Lambda::Alias":
		var props struct {
			FunctionName value
			Name         string
		}
		if err := t.properties(id, &props); err != nil {
			return target{}, err
		}
		of, err := t.function(props.FunctionName)
		return target{function: of.function, qualifier: props.Name}, err
	default:
		return target{}, fmt.Errorf("%s is a %q, not a function", id, r.Type)
	}
}

// properties decodes a resource's properties. What it does not ask for is not looked at.
func (t *template) properties(id string, into any) error {
	r, ok := t.Resources[id]
	if !ok {
		return fmt.Errorf("there is no resource %s in %s", id, t.stack)
	}
	if err := json.Unmarshal(r.Properties, into); err != nil {
		return fmt.Errorf("properties of %s: %w", id, err)
	}
	return nil
}

// value is a template's value: a text, or a function that makes one. It is kept without
// the spaces between its parts, which depend on where in the template it is.
type value json.RawMessage

func (v *value) UnmarshalJSON(text []byte) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return err
	}
	*v = compact.Bytes()
	return nil
}

func (v value) String() string { return string(v) }

// refers returns the resource that a value names by Ref or by its ARN.
func (v value) refers() (id string, ok bool) {
	var f struct {
		Ref    string
		GetAtt []string `json:"Fn::GetAtt"`
	}
	if json.Unmarshal(v, &f) != nil {
		return "", false
	}
	if len(f.GetAtt) == 2 && f.GetAtt[1] == "Arn" {
		return f.GetAtt[0], true
	}
	return f.Ref, f.Ref != ""
}

// written are the values that a template writes to parameters, by their names.
func (t *template) written() map[string]value {
	all := map[string]value{}
	for _, r := range t.Resources {
		var p struct {
			Name  string
			Value value
		}
		if r.Type == "AWS::SSM::Parameter" && json.Unmarshal(r.Properties, &p) == nil {
			all[p.Name] = p.Value
		}
	}
	return all
}

// deployed is what a value is in the deployed platform. A resource's name is known only
// from the parameter that it was written to.
func (t *template) deployed(v value) (string, error) {
	for name, written := range t.written() {
		if bytes.Equal(written, v) {
			return t.parameter(name)
		}
	}
	return t.text(v)
}

// text makes the text of a value. A resource is called by its logical id, by which it
// is found again; a parameter has its value of today.
func (t *template) text(v value) (string, error) {
	var plain string
	if json.Unmarshal(v, &plain) == nil {
		return plain, nil
	}
	var f struct {
		Ref  string
		Join []json.RawMessage `json:"Fn::Join"`
	}
	if err := json.Unmarshal(v, &f); err != nil {
		return "", fmt.Errorf("%s is not understood: %w", v, err)
	}
	if p, ok := t.Parameters[f.Ref]; ok {
		if !strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value") {
			return p.Default, nil
		}
		return t.parameter(p.Default)
	}
	if _, ok := t.Resources[f.Ref]; ok {
		return f.Ref, nil
	}
	if len(f.Join) != 2 {
		return "", fmt.Errorf("%s is not understood", v)
	}
	var separator string
	var parts []value
	if err := errors.Join(json.Unmarshal(f.Join[0], &separator), json.Unmarshal(f.Join[1], &parts)); err != nil {
		return "", fmt.Errorf("%s is not understood: %w", v, err)
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		var err error
		if texts[i], err = t.text(part); err != nil {
			return "", err
		}
	}
	return strings.Join(texts, separator), nil
}
