package conn

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
)

// The mechanisms of a login.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	AWSMSKIAM   = "AWS_MSK_IAM"
)

// Mechanisms returns the mechanisms of a login.
func Mechanisms() []string { return []string{Plain, ScramSHA256, ScramSHA512, AWSMSKIAM} }

// SASL says how this client logs in. The password file is read for each login, so
// that a new password needs no restart.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM; empty: no
	// login. PLAIN needs TLS, unless the brokers are on this machine.
	Mechanism string `yaml:"mechanism" doc:"PLAIN (only with TLS, or to this machine), SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM; empty: no login."`
	// Username and Password are for PLAIN and SCRAM. PasswordFile holds the password
	// instead, and nothing else.
	Username     string        `yaml:"username" doc:"User to log in as, for PLAIN and SCRAM."`
	Password     secret.String `yaml:"password" doc:"Password. A file (password_file) is the better place."`
	PasswordFile string        `yaml:"password_file" doc:"File that holds the password alone, relative to this file; it is read again for each login."`
	// Region is the AWS region of an MSK cluster, for AWS_MSK_IAM; empty: AWS_REGION,
	// or the region in AWS' own files.
	Region string `yaml:"region" doc:"AWS region of the cluster, for AWS_MSK_IAM; empty: AWS_REGION or AWS' own files."`
	// Sign returns the signed request with which AWS_MSK_IAM proves an identity to
	// the broker at host. The program sets it to the method of emitter/mskiam, so that
	// programs without it do not depend on the AWS SDK.
	Sign func(ctx context.Context, region, host string) ([]byte, error) `yaml:"-"`
}

// validate returns every fault. What is allowed depends on whether connections are
// encrypted, and where the brokers are.
func (s SASL) validate(encrypted bool, brokers []string) fault.List {
	var faults fault.List
	switch s.Mechanism {
	case "":
		for _, f := range s.givenKeys() {
			faults.Add(f, "has no effect: there is no mechanism", "want sasl.mechanism: one of "+strings.Join(Mechanisms(), ", "))
		}
	case Plain, ScramSHA256, ScramSHA512:
		s.validatePassword(&faults)
		if s.Region != "" {
			faults.Add("region", "has no effect with "+s.Mechanism, "leave it out")
		}
		if host := firstRemote(brokers); s.Mechanism == Plain && !encrypted && host != "" {
			faults.Add("mechanism", fmt.Sprintf("PLAIN without TLS would send the password readable to %s", host),
				"want tls.enabled: true, or "+ScramSHA512)
		}
	case AWSMSKIAM:
		for _, f := range s.givenKeys() {
			if f != "region" {
				faults.Add(f, "has no effect with "+AWSMSKIAM, "leave it out: the identity is that of AWS' default credential chain")
			}
		}
		if !encrypted {
			faults.Add("mechanism", AWSMSKIAM+" needs TLS", "want tls.enabled: true")
		}
	default:
		faults.Add("mechanism", fmt.Sprintf("%q is unknown", s.Mechanism), suggestMechanism(s.Mechanism))
	}
	return faults
}

func (s SASL) validatePassword(faults *fault.List) {
	if s.Username == "" {
		faults.Add("username", "missing", "want the user to log in as")
	}
	switch {
	case s.Password != "" && s.PasswordFile != "":
		faults.Add("password_file", "sasl.password is set too", "want one of the two")
	case s.Password == "" && s.PasswordFile == "":
		faults.Add("password_file", "missing: there is no password", "want a file that holds the password alone, or sasl.password")
	case s.PasswordFile != "":
		if _, err := secret.FromFile(s.PasswordFile); err != nil {
			faults.Add("password_file", err.Error(), "want a file that holds the password alone")
		}
	}
}

// givenKeys returns the keys that are set, apart from the mechanism.
func (s SASL) givenKeys() []string {
	var out []string
	for _, f := range []struct {
		key string
		set bool
	}{
		{"username", s.Username != ""},
		{"password", s.Password != ""},
		{"password_file", s.PasswordFile != ""},
		{"region", s.Region != ""},
	} {
		if f.set {
			out = append(out, f.key)
		}
	}
	return out
}

func suggestMechanism(name string) string {
	return fault.Suggest(strings.ToUpper(name), Mechanisms(), "")
}

// firstRemote returns the first broker that is not on this machine, or "".
func firstRemote(brokers []string) string {
	for _, addr := range brokers {
		if host, _, err := net.SplitHostPort(addr); err == nil && host != "" && !secret.Loopback(host) {
			return addr
		}
	}
	return ""
}

// identity describes the mechanism and the user of the login, for an operator.
func (s SASL) identity() string {
	switch s.Mechanism {
	case "":
		return "a client without a login"
	case AWSMSKIAM:
		return AWSMSKIAM
	}
	return fmt.Sprintf("%s as user %q", s.Mechanism, s.Username)
}

// remedy says what to look at after a failed login.
func (s SASL) remedy() string {
	switch {
	case s.Mechanism == AWSMSKIAM:
		return "check the role that AWS' credential chain finds here, sasl.region, and that the role's policy allows kafka-cluster:Connect"
	case s.PasswordFile != "":
		return "check sasl.username and what " + s.PasswordFile + " (sasl.password_file) holds; it is read again at each attempt"
	}
	return "check sasl.username and sasl.password"
}
