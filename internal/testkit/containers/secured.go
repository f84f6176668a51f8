package containers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/testcontainers/testcontainers-go"
)

// brokerPEM is where a secured broker finds its key and certificate.
const brokerPEM = "/etc/kafka/secrets/broker.pem"

// SecuredKafka says whom a broker lets in: clients that trust its certificate and
// log in by SCRAM-SHA-512.
type SecuredKafka struct {
	CertFile, KeyFile  string // PEM, the key as PKCS #8; for 127.0.0.1
	Username, Password string // the one user there is
}

// StartSecuredKafka starts a broker that speaks TLS and wants a login.
func StartSecuredKafka(ctx context.Context, s SecuredKafka, cfg KafkaConfig) (*Kafka, error) {
	key, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return nil, err
	}
	cert, err := os.ReadFile(s.CertFile)
	if err != nil {
		return nil, err
	}
	const prefix = "KAFKA_LISTENER_NAME_CLIENT_"
	env := map[string]string{
		prefix + "SSL_KEYSTORE_TYPE":       "PEM",
		prefix + "SSL_KEYSTORE_LOCATION":   brokerPEM,
		prefix + "SASL_ENABLED_MECHANISMS": "SCRAM-SHA-512",
		// Three underscores stand for a hyphen.
		prefix + "SCRAM___SHA___512_SASL_JAAS_CONFIG": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
	}
	maps.Copy(env, cfg.Env)
	cfg.Env, cfg.Protocol = env, "SASL_SSL"
	cfg.Files = append(cfg.Files, testcontainers.ContainerFile{
		Reader: strings.NewReader(string(key) + string(cert)), ContainerFilePath: brokerPEM, FileMode: 0o644,
	})
	k, err := StartKafka(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, err = k.Exec(ctx, "/opt/kafka/bin/kafka-configs.sh", "--bootstrap-server", fmt.Sprintf("localhost:%d", brokerPort),
		"--alter", "--entity-type", "users", "--entity-name", s.Username, "--add-config", "SCRAM-SHA-512=[password="+s.Password+"]")
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}
