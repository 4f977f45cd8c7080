package lambdahttp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// event is what makes up a request, from whichever kind of event.
//
//	HTTP API 2.0  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
//	ALB           https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
type event struct {
	version    string // HTTP API: "2.0"
	alb        bool
	multiValue bool // ALB with multi-value headers
	method     string
	path       string
	query      string
	header     http.Header
	remoteAddr string
	claims     map[string]string // HTTP API with a JWT authorizer
	body       string
}

// decode picks what makes up a request. It knows the fields of both kinds of
// event; none of one means something else in the other.
func decode(payload []byte) (*event, error) {
	ev := &event{header: make(http.Header, 16)}
	var cookies, query, multiQuery []string
	var multiHeader http.Header
	values := make([]string, 0, 16)
	encoded := false
	p := picker{text: string(payload)}
	p.object(func(name string) {
		switch name {
		case "version":
			ev.version = p.string()
		case "rawPath", "path":
			ev.path = p.string()
		case "rawQueryString":
			ev.query = p.string()
		case "httpMethod":
			ev.method = p.string()
		case "queryStringParameters":
			p.object(func(name string) {
				p.strings(func(value string) { query = append(query, name+"="+value) })
			})
		case "multiValueQueryStringParameters":
			p.object(func(name string) {
				p.strings(func(value string) { multiQuery = append(multiQuery, name+"="+value) })
			})
		case "headers":
			p.object(func(name string) {
				// One array for all: most headers have one value.
				values = append(values, p.string())
				ev.header[http.CanonicalHeaderKey(name)] = values[len(values)-1 : len(values) : len(values)]
			})
		case "multiValueHeaders":
			ev.multiValue = p.next() == '{'
			multiHeader = make(http.Header, 16)
			p.object(func(name string) {
				p.strings(func(value string) { multiHeader.Add(name, value) })
			})
		case "cookies":
			p.strings(func(value string) { cookies = append(cookies, value) })
		case "body":
			ev.body = p.string()
		case "isBase64Encoded":
			encoded = p.bool()
		case "requestContext":
			ev.context(&p)
		default:
			p.skip()
		}
	})
	switch {
	case p.broken || p.next() != 0:
		return nil, fmt.Errorf("%w: it is not one JSON value", errNotHTTP)
	case ev.alb:
		// A balancer sends the one or the other. Where something that plays one sends
		// both, the fields with all values are the whole truth.
		if ev.multiValue {
			ev.header, query = multiHeader, multiQuery
		}
		ev.query = strings.Join(query, "&") // as it was sent: an ALB decodes nothing
		ev.remoteAddr = ev.header.Get("X-Forwarded-For")
	case ev.version != "2.0":
		return nil, errNotHTTP
	case len(cookies) > 0:
		ev.header.Set("Cookie", strings.Join(cookies, "; "))
	}
	if encoded {
		raw, err := base64.StdEncoding.DecodeString(ev.body)
		if err != nil {
			return nil, fmt.Errorf("lambdahttp: body says it is base64 and is not: %w", err)
		}
		ev.body = string(raw)
	}
	return ev, nil
}

// context picks from the request context.
func (ev *event) context(p *picker) {
	p.object(func(name string) {
		switch name {
		case "elb":
			ev.alb = p.next() == '{'
			p.skip()
		case "http":
			p.object(func(name string) {
				switch name {
				case "method":
					ev.method = p.string()
				case "sourceIp":
					ev.remoteAddr = p.string()
				default:
					p.skip()
				}
			})
		case "authorizer":
			p.object(func(name string) {
				if name != "jwt" {
					p.skip()
					return
				}
				p.object(func(name string) {
					if name != "claims" {
						p.skip()
						return
					}
					ev.claims = make(map[string]string, 16)
					p.object(func(name string) { ev.claims[name] = p.string() })
				})
			})
		default:
			p.skip()
		}
	})
}

// picker walks through a JSON text and hands out what it is asked for. A value of
// another type than asked for counts as absent; a text that is not JSON makes
// the picker broken, which ends the walk and is looked at once, at its end.
//
// It exists for its speed: an event is two kilobytes of which a request needs
// half, and encoding/json's way through it by reflection took longer than all
// the rest of a request.
type picker struct {
	text   string
	pos    int
	broken bool
}

// next returns the first byte of what comes behind white space; 0 at the end.
func (p *picker) next() byte {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

// take moves behind a byte that must come next.
func (p *picker) take(c byte) {
	if p.next() != c {
		p.broken = true
		return
	}
	p.pos++
}

// more moves to the next element of what ends with a byte, or behind that byte.
func (p *picker) more(first bool, end byte) bool {
	switch {
	case p.broken:
		return false
	case p.next() == end:
		p.pos++
		return false
	case !first:
		p.take(',')
	}
	return !p.broken
}

// object calls field for each member, which must take the member's value.
func (p *picker) object(field func(name string)) {
	if p.next() != '{' {
		p.skip()
		return
	}
	p.pos++
	for first := true; p.more(first, '}'); first = false {
		if p.next() != '"' {
			p.broken = true
			return
		}
		name := p.string()
		p.take(':')
		field(name)
	}
}

// strings calls each for a string, or for those of an array.
func (p *picker) strings(each func(value string)) {
	switch p.next() {
	case '"':
		each(p.string())
	case '[':
		p.pos++
		for first := true; p.more(first, ']'); first = false {
			each(p.string())
		}
	default:
		p.skip()
	}
}

// string takes a string.
func (p *picker) string() string {
	if p.next() != '"' {
		p.skip()
		return ""
	}
	start := p.pos
	if escaped := p.quoted(); !escaped {
		return p.text[start+1 : max(start+1, p.pos-1)]
	}
	var s string
	if json.Unmarshal([]byte(p.text[start:p.pos]), &s) != nil {
		p.broken = true
	}
	return s
}

// quoted moves behind a string and reports whether it holds escapes.
func (p *picker) quoted() (escaped bool) {
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case '"':
			p.pos++
			return escaped
		case '\\':
			escaped = true
			p.pos++
		}
	}
	p.pos, p.broken = len(p.text), true
	return escaped
}

// bool takes true or false.
func (p *picker) bool() bool {
	yes := p.next() == 't'
	p.skip()
	return yes
}

// skip moves behind a value of any type, without a look at its inside.
func (p *picker) skip() {
	switch c := p.next(); c {
	case '"':
		p.quoted()
	case '{', '[':
		for depth := 0; p.pos < len(p.text); {
			switch p.text[p.pos] {
			case '"':
				p.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			p.pos++
			if depth == 0 {
				return
			}
		}
		p.broken = true
	default: // a number, or a word
		n := strings.IndexAny(p.text[p.pos:], " \t\r\n,:]}")
		if n < 0 {
			n = len(p.text) - p.pos
		}
		p.pos += n
		p.broken = p.broken || n == 0
	}
}
