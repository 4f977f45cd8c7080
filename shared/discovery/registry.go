package discovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxListing bounds what is read of one answer of the registry, in bytes: a hundred
// instances with all the attributes they may have.
const maxListing = 1 << 20

// CloudMap returns the source that asks AWS Cloud Map for the instances of a
// namespace. An instance says where it is by its attributes: a whole base address
// as url, with a host where the place knows the service by another name; or
// AWS_INSTANCE_IPV4 with AWS_INSTANCE_PORT (80), and then the host is the
// service's name in the domain.
//
// It calls the two operations it needs by itself, signed by the SDK's signer, which
// the database client has linked already: the SDK's own client for them would
// make a function larger by 270 kB where this takes 8.
func CloudMap(cfg aws.Config, namespace, domain string) Source {
	return newCloudMap(cfg, namespace, domain, "HEALTHY")
}

// CloudMapAll returns the same for instances of whatever health.
func CloudMapAll(cfg aws.Config, namespace, domain string) Source {
	return newCloudMap(cfg, namespace, domain, "ALL")
}

func newCloudMap(cfg aws.Config, namespace, domain, health string) Source {
	endpoint := aws.ToString(cfg.BaseEndpoint)
	if endpoint == "" {
		endpoint = "https://data-servicediscovery." + cfg.Region + ".amazonaws.com"
	}
	return &cloudMap{
		cfg: cfg, signer: v4.NewSigner(), endpoint: endpoint, namespace: namespace, suffix: "." + domain,
		health: health,
	}
}

type cloudMap struct {
	cfg       aws.Config
	signer    *v4.Signer
	endpoint  string
	namespace string
	suffix    string
	health    string // of the instances to return, as the API has it
}

// discover is the input of both operations.
type discover struct {
	NamespaceName string
	ServiceName   string
	HealthStatus  string `json:",omitempty"`
	MaxResults    int    `json:",omitempty"`
}

// discovered is the output of both.
type discovered struct {
	Instances []struct {
		InstanceID   string `json:"InstanceId"`
		HealthStatus string
		Attributes   map[string]string
	}
	InstancesRevision int64
}

// Lookup asks for the revision alone when one is known, which Cloud Map allows three
// times as often as a listing.
func (c *cloudMap) Lookup(ctx context.Context, service string, revision int64) (Listing, error) {
	if revision > 0 {
		out, err := c.call(ctx, "DiscoverInstancesRevision", discover{NamespaceName: c.namespace, ServiceName: service})
		if err != nil {
			return Listing{}, err
		}
		if out.InstancesRevision == revision {
			return Listing{Unchanged: true}, nil
		}
	}
	out, err := c.call(ctx, "DiscoverInstances", discover{
		NamespaceName: c.namespace, ServiceName: service, HealthStatus: c.health, MaxResults: maxInstances,
	})
	if err != nil {
		return Listing{}, err
	}
	listing := Listing{Revision: out.InstancesRevision}
	for _, found := range out.Instances {
		// The filter is asked for and applied again: not every registry has it. An
		// instance of a service without health checks is UNKNOWN for ever.
		if c.health != "ALL" && found.HealthStatus != "HEALTHY" && found.HealthStatus != "UNKNOWN" {
			continue
		}
		if place, ok := c.place(service, found.Attributes); ok {
			listing.Instances = append(listing.Instances, place)
		}
	}
	return listing, nil
}

// place reports whether the attributes say where an instance is.
func (c *cloudMap) place(service string, attributes map[string]string) (Instance, bool) {
	if address := attributes["url"]; address != "" {
		base, err := url.Parse(address)
		if err != nil || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" ||
			base.Scheme != "http" && base.Scheme != "https" {
			return Instance{}, false
		}
		host := attributes["host"]
		if host == "" {
			host = service + c.suffix
		}
		return Instance{base, host}, validHost(host)
	}
	ip, err := netip.ParseAddr(attributes["AWS_INSTANCE_IPV4"])
	if err != nil || !ip.Is4() {
		return Instance{}, false
	}
	port := httpPort
	if text := attributes["AWS_INSTANCE_PORT"]; text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return Instance{}, false
		}
	}
	return Instance{baseAt(ip, uint16(port)), service + c.suffix}, true
}

func baseAt(ip netip.Addr, port uint16) *url.URL {
	return &url.URL{Scheme: "http", Host: netip.AddrPortFrom(ip, port).String()}
}

// validHost keeps anything out of the request's head that is no host and port.
func validHost(host string) bool {
	u, err := url.Parse("http://" + host)
	return err == nil && u.Host == host && host != "" && !strings.ContainsAny(host, " \r\n@")
}

// call makes one call of the AWS JSON 1.1 protocol.
func (c *cloudMap) call(ctx context.Context, operation string, in discover) (*discovered, error) {
	out, err := c.exchange(ctx, operation, in)
	if err != nil {
		return nil, fmt.Errorf("registry: %s: %w", operation, err)
	}
	return out, nil
}

func (c *cloudMap) exchange(ctx context.Context, operation string, in discover) (*discovered, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Route53AutoNaming_v20170314."+operation)
	creds, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, creds, r, hex.EncodeToString(sum[:]), "servicediscovery", c.cfg.Region, time.Now()); err != nil {
		return nil, err
	}
	res, err := c.cfg.HTTPClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxListing+1))
	switch {
	case err != nil:
		return nil, err
	case len(answer) > maxListing:
		return nil, errors.New("the answer is larger than 1 MiB")
	case res.StatusCode != http.StatusOK:
		var fault struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(answer, &fault) // or it has no name
		return nil, fmt.Errorf("%s %.100q", res.Status, fault.Type)
	}
	var out discovered
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, err
	}
	return &out, nil
}
