// Package mskiam logs an application, or a worker, in to Amazon MSK with its AWS
// identity (AWS_MSK_IAM). It is separate from the package emitter so that only
// applications that use it depend on the AWS SDK.
//
//	em, err := emitter.New(emitter.Config{
//		Brokers: brokers,
//		TLS:     emitter.TLS{Enabled: true},
//		SASL:    emitter.SASL{Mechanism: "AWS_MSK_IAM", Sign: mskiam.New().Sign},
//	})
//
// The identity comes from AWS' default credential chain: environment variables,
// shared files, a web identity token as Kubernetes mounts it, the container's or
// the machine's role. The SDK renews credentials before they expire; static ones in
// shared files are read once.
package mskiam

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/aws_msk_iam_v2"
)

// Signer signs logins. It is safe for concurrent use.
type Signer struct {
	mu     sync.Mutex
	loaded bool       // guarded by mu
	cfg    aws.Config // guarded by mu
}

// New returns a Signer. It does not look for credentials before the first login.
func New() *Signer { return &Signer{} }

// Sign returns the signed request with which the client of a broker at host proves
// its identity, valid for five minutes. An empty region means AWS_REGION, or the one
// in AWS' own files. The error says what is missing: a region, or credentials.
func (s *Signer) Sign(ctx context.Context, region, host string) ([]byte, error) {
	cfg, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = cfg.Region
	}
	if region == "" {
		return nil, errors.New("no AWS region: set sasl.region or AWS_REGION")
	}
	m := &aws_msk_iam_v2.Mechanism{Signer: signer.NewSigner(), Credentials: cfg.Credentials, Region: region}
	_, signed, err := m.Start(sasl.WithMetadata(ctx, &sasl.Metadata{Host: host}))
	if err != nil {
		return nil, fmt.Errorf("sign the login to %s: %w", host, err)
	}
	return signed, nil
}

// load reads AWS' settings, again until it succeeds once.
func (s *Signer) load(ctx context.Context) (aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		return s.cfg, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS settings: %w", err)
	}
	s.cfg, s.loaded = cfg, true
	return cfg, nil
}
