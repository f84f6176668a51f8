package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/emitter/mskiam"
	"github.com/evalworker/evalworker/internal/cli"
)

// security holds the TLS and SASL settings of a command, from flags and environment.
// A worker reads the same variables.
type security struct {
	tls  emitter.TLS
	sasl emitter.SASL
}

// option is one of these settings.
type option struct {
	key   string // in the configuration, as faults name it
	flag  string // empty for a secret, which does not belong on a command line
	value *string
	help  string
}

func (s *security) options() []option {
	return []option{
		{"tls.ca_file", "tls-ca", &s.tls.CAFile, "`FILE` of the authorities that sign the brokers' certificates (PEM)"},
		{"tls.cert_file", "tls-cert", &s.tls.CertFile, "`FILE` of a client certificate (PEM)"},
		{"tls.key_file", "tls-key", &s.tls.KeyFile, "`FILE` of its private key (PEM)"},
		{"tls.server_name", "tls-server-name", &s.tls.ServerName, "name that the brokers' certificates are for, if not that of their addresses"},
		{"sasl.mechanism", "sasl-mechanism", &s.sasl.Mechanism, "how to log in"},
		{"sasl.username", "sasl-username", &s.sasl.Username, "user to log in as"},
		{"sasl.password", "", (*string)(&s.sasl.Password), ""},
		{"sasl.password_file", "sasl-password-file", &s.sasl.PasswordFile, "`FILE` that holds the password alone; or set KAFKA_SASL_PASSWORD"},
		{"sasl.region", "sasl-region", &s.sasl.Region, "AWS region of the cluster, for AWS_MSK_IAM"},
	}
}

const (
	keyTLS  = "tls.enabled"
	flagTLS = "tls"
)

// env returns the variable for a key.
func env(key string) string { return "KAFKA_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) }

func (s *security) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&s.tls.Enabled, flagTLS, false, "encrypt connections with TLS (default $"+env(keyTLS)+")")
	for _, o := range s.options() {
		help := o.help + " (default $" + env(o.key) + ")"
		switch o.flag {
		case "":
		case "sasl-mechanism":
			cli.Choice(cmd, o.value, o.flag, "", emitter.Mechanisms(), help)
		default:
			f.StringVar(o.value, o.flag, "", help)
		}
	}
	cli.CompleteFiles(cmd, "tls-ca", "tls-cert", "tls-key", "sasl-password-file")
}

// complete reads the settings that no flag sets from the environment.
func (s *security) complete(cmd *cobra.Command) error {
	for _, o := range s.options() {
		if o.flag == "" || !cmd.Flags().Changed(o.flag) {
			*o.value = os.Getenv(env(o.key))
		}
	}
	if text := os.Getenv(env(keyTLS)); text != "" && !cmd.Flags().Changed(flagTLS) {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s: want true or false", env(keyTLS))
		}
		s.tls.Enabled = on
	}
	// A password file on the command line overrides a password in the environment.
	if cmd.Flags().Changed("sasl-password-file") {
		s.sasl.Password = ""
	}
	s.sasl.Sign = mskiam.New().Sign
	return nil
}

// names returns the names of the settings on the command line.
func (s *security) names(cmd *cobra.Command) names {
	on := source(cmd, flagTLS, env(keyTLS))
	out := names{{keyTLS, on}, {keyTLS + ": true", on}}
	if on == env(keyTLS) {
		out[1].name = on + "=true"
	}
	for _, o := range s.options() {
		out = append(out, setting{o.key, source(cmd, o.flag, env(o.key))})
	}
	return out
}
