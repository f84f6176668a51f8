package conn

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
)

// maxPEM bounds a file of certificates or a key, in bytes.
const maxPEM = 1 << 20

// TLS says how connections are encrypted and how both ends prove who they are. The
// files are read for each connection, so that a new certificate needs no restart.
//
// The broker's certificate is always verified, because an impostor would receive
// prompts and outputs. For a private authority set CAFile; for an address that is
// not in the certificate set ServerName.
type TLS struct {
	// Enabled encrypts every connection with TLS 1.2 or later.
	Enabled bool `yaml:"enabled" doc:"Encrypt every connection with TLS 1.2 or later; the brokers' certificates are always verified."`
	// CAFile holds the authorities (PEM) that may sign the brokers' certificates;
	// empty: those of the system.
	CAFile string `yaml:"ca_file" doc:"PEM file of the authorities that sign the brokers' certificates, relative to this file; empty: those of the system."`
	// CertFile and KeyFile hold this client's certificate, with the intermediate ones
	// up to its authority, and its private key (PEM), for brokers that ask for one.
	CertFile string `yaml:"cert_file" doc:"PEM file of this worker's certificate, for brokers that ask for one."`
	KeyFile  string `yaml:"key_file" doc:"PEM file of its private key, without a passphrase."`
	// ServerName is the name in the brokers' certificates; empty: the host of each
	// broker's address.
	ServerName string `yaml:"server_name" doc:"Name that the brokers' certificates have to be for; empty: the host of each address."`
}

func (t TLS) validate() fault.List {
	var faults fault.List
	if !t.Enabled {
		for _, f := range []struct{ path, value string }{
			{"ca_file", t.CAFile}, {"cert_file", t.CertFile}, {"key_file", t.KeyFile}, {"server_name", t.ServerName},
		} {
			if f.value != "" {
				faults.Add(f.path, "has no effect: TLS is off", "want tls.enabled: true, or leave it out")
			}
		}
		return faults
	}
	if t.CAFile != "" {
		if _, err := t.authorities(); err != nil {
			faults.Add("ca_file", err.Error(), "want a PEM file of the authorities that sign the brokers' certificates")
		}
	}
	switch {
	case t.CertFile == "" && t.KeyFile == "":
	case t.CertFile == "":
		faults.Add("key_file", "a key without its certificate", "want tls.cert_file too: a PEM file with the certificate of this key")
	case t.KeyFile == "":
		faults.Add("cert_file", "a certificate without its key", "want tls.key_file too: a PEM file with the private key of this certificate")
	default:
		if path, err := t.checkPair(); err != nil {
			faults.Add(path, err.Error(), "want PEM files of one certificate and of its private key, without a passphrase")
		}
	}
	return faults
}

// checkPair reads certificate and key; path is the setting whose file is at fault.
func (t TLS) checkPair() (path string, err error) {
	if _, err := readPEM(t.CertFile); err != nil {
		return "cert_file", err
	}
	_, err = t.pair()
	return "key_file", err
}

// client reads the files and returns the configuration of one connection.
// certRequested is set when the broker asks for a certificate during the handshake.
func (t TLS) client(host string, certRequested *bool) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(t.ServerName, host)}
	if t.CAFile != "" {
		pool, err := t.authorities()
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		cfg.RootCAs = pool
	}
	var own tls.Certificate // stays empty to say that there is none
	if t.CertFile != "" {
		var err error
		if own, err = t.pair(); err != nil {
			return nil, fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
		}
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		*certRequested = true
		return &own, nil
	}
	return cfg, nil
}

func (t TLS) authorities() (*x509.CertPool, error) {
	pem, err := readPEM(t.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", t.CAFile)
	}
	return pool, nil
}

func (t TLS) pair() (tls.Certificate, error) {
	cert, err := readPEM(t.CertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readPEM(t.KeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil { // the library's text names kinds of PEM blocks, none of their content
		return tls.Certificate{}, fmt.Errorf("%s and %s: %w", t.CertFile, t.KeyFile, err)
	}
	return pair, nil
}

func readPEM(path string) ([]byte, error) {
	data, err := regular.Read(path, maxPEM+1)
	if err != nil {
		return nil, readError(path, err)
	}
	if len(data) > maxPEM {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxPEM)
	}
	return data, nil
}

func readError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s cannot be read: %w", path, err)
}
