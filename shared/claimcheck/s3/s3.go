// Package s3 keeps the large data of events in an S3 bucket.
//
// It makes the two calls it needs by itself, signed by the SDK's signer, which the
// database client has linked already: the SDK's own client for S3 would add more than
// a megabyte to a function.
//
// The bucket is its caller's to make: encrypted, closed to the public, and with a
// lifecycle rule that expires objects below claims/ after 30 days. A publisher needs
// s3:PutObject on claims/*, a consumer s3:GetObject, and s3:ListBucket so that an
// object that has expired is told from one it may not read.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tradewind/shared/apperr"
)

// maxFault bounds what is read of a refusal.
const maxFault = 16 << 10

// Store is a bucket, a claimcheck.Store.
type Store struct {
	cfg    aws.Config
	signer *v4.Signer
	base   string
}

// New returns the store in a bucket.
func New(cfg aws.Config, bucket string) *Store {
	base := "https://" + bucket + ".s3." + cfg.Region + ".amazonaws.com/"
	if endpoint := aws.ToString(cfg.BaseEndpoint); endpoint != "" {
		base = strings.TrimSuffix(endpoint, "/") + "/" + bucket + "/"
	}
	return &Store{cfg, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), base}
}

// Put stores an object. S3 refuses it when it did not arrive whole.
func (s *Store) Put(ctx context.Context, key string, body []byte) error {
	digest := sha256.Sum256(body)
	res, err := s.call(ctx, http.MethodPut, key, body, http.Header{
		"Content-Type":          {"application/json"},
		"X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(digest[:])},
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return res.Body.Close()
}

// Get returns an object of at most limit bytes.
func (s *Store) Get(ctx context.Context, key string, limit int) ([]byte, error) {
	res, err := s.call(ctx, http.MethodGet, key, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	if err != nil {
		return nil, apperr.Wrap(fmt.Errorf("get %s: %w", key, err), apperr.Unavailable, "store_unavailable", "The store broke off its answer.")
	}
	if len(body) > limit {
		return nil, apperr.New(apperr.Invalid, "object_too_large", fmt.Sprintf("Object %s is larger than the %d bytes it should have.", key, limit))
	}
	return body, nil
}

// call makes one signed request. What is not a success is an error by its kind.
func (s *Store) call(ctx context.Context, method, key string, body []byte, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.base+key, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	digest := sha256.Sum256(body)
	payload := hex.EncodeToString(digest[:])
	r.Header.Set("X-Amz-Content-Sha256", payload)
	creds, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.signer.SignHTTP(ctx, creds, r, payload, "s3", s.cfg.Region, time.Now()); err != nil {
		return nil, err
	}
	res, err := s.cfg.HTTPClient.Do(r)
	if err != nil {
		return nil, apperr.Wrap(err, apperr.Unavailable, "store_unavailable", "The store does not answer.")
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var fault struct{ Code string }
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxFault)) // or the refusal has no name
	_ = xml.Unmarshal(text, &fault)
	err = fmt.Errorf("%s %.100q", res.Status, fault.Code)
	switch {
	case res.StatusCode == http.StatusNotFound && fault.Code != "NoSuchBucket":
		return nil, apperr.Wrap(err, apperr.NotFound, "object_not_found", "There is no such object.")
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return nil, apperr.Wrap(err, apperr.Unavailable, "store_unavailable", "The store cannot answer now.")
	}
	return nil, err
}
