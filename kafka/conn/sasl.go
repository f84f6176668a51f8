package conn

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/secret"
)

// The mechanisms of a login.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	AWSMSKIAM   = "AWS_MSK_IAM"
)

func mechanisms() []string { return []string{Plain, ScramSHA256, ScramSHA512, AWSMSKIAM} }

// Sign makes what a client of Amazon MSK proves its identity with: the signed
// request to connect to a broker's host. An empty region stands for that of the
// surroundings.
type Sign func(ctx context.Context, region, host string) ([]byte, error)

// SASL says how this client logs in. The password file is read anew for each
// login, so that a password that was replaced needs no restart.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM; empty: no
	// login.
	Mechanism string `yaml:"mechanism" doc:"PLAIN (only with TLS, or to this machine), SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM; empty: no login."`
	// Username and Password are for PLAIN and SCRAM. PasswordFile holds the
	// password instead, alone.
	Username     string        `yaml:"username" doc:"User to log in as, for PLAIN and SCRAM."`
	Password     secret.String `yaml:"password" doc:"Password. A file (password_file) is the better place."`
	PasswordFile string        `yaml:"password_file" doc:"File that holds the password alone, relative to this file; it is read anew for each login."`
	// Region is that of an MSK cluster, for AWS_MSK_IAM; empty: AWS_REGION, or
	// what AWS' own files say.
	Region string `yaml:"region" doc:"AWS region of the cluster, for AWS_MSK_IAM; empty: AWS_REGION or AWS' own files."`
	// Sign signs for AWS_MSK_IAM. It is the program's to set, so that those who
	// need none of it do not carry the AWS SDK.
	Sign Sign `yaml:"-"`
}

// validate needs to know whether connections are encrypted, and where they lead.
func (s SASL) validate(encrypted bool, brokers []string) fault.List {
	var faults fault.List
	switch s.Mechanism {
	case "":
		for _, f := range s.given() {
			faults.Add(f, "has no effect: there is no mechanism", "sasl.mechanism: one of "+strings.Join(mechanisms(), ", "))
		}
	case Plain, ScramSHA256, ScramSHA512:
		s.validatePassword(&faults)
		if s.Region != "" {
			faults.Add("region", "has no effect with "+s.Mechanism, "leave it out")
		}
		if host := beyond(brokers); s.Mechanism == Plain && !encrypted && host != "" {
			faults.Add("mechanism", fmt.Sprintf("PLAIN without TLS would send the password readable to %s", host),
				"tls.enabled: true, or "+ScramSHA512)
		}
	case AWSMSKIAM:
		for _, f := range s.given() {
			if f != "region" {
				faults.Add(f, "has no effect with "+AWSMSKIAM, "leave it out: the identity is that of AWS' default credential chain")
			}
		}
		if !encrypted {
			faults.Add("mechanism", AWSMSKIAM+" needs TLS", "tls.enabled: true")
		}
	default:
		faults.Add("mechanism", fmt.Sprintf("%q is unknown", s.Mechanism), meantMechanism(s.Mechanism))
	}
	return faults
}

func (s SASL) validatePassword(faults *fault.List) {
	if s.Username == "" {
		faults.Add("username", "missing", "the user to log in as")
	}
	switch {
	case s.Password != "" && s.PasswordFile != "":
		faults.Add("password_file", "sasl.password is set too", "one of the two")
	case s.Password == "" && s.PasswordFile == "":
		faults.Add("password_file", "missing: there is no password", "a file that holds the password alone, or sasl.password")
	case s.PasswordFile != "":
		if _, err := secret.FromFile(s.PasswordFile); err != nil {
			faults.Add("password_file", err.Error(), "a file that holds the password alone")
		}
	}
}

// given names the keys that are set beside the mechanism.
func (s SASL) given() []string {
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

func meantMechanism(name string) string {
	upper := strings.ToUpper(strings.ReplaceAll(name, "_", "-"))
	for _, known := range mechanisms() {
		if strings.ReplaceAll(known, "_", "-") == upper {
			return fmt.Sprintf("did you mean %q?", known)
		}
	}
	if near := fault.Nearest(strings.ToUpper(name), mechanisms()); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "one of " + strings.Join(mechanisms(), ", ")
}

// beyond gives the first broker that is not on this machine, or "".
func beyond(brokers []string) string {
	for _, addr := range brokers {
		if host, _, err := net.SplitHostPort(addr); err == nil && host != "" && !loopback(host) {
			return addr
		}
	}
	return ""
}

// loopback reports whether a host is this machine. A name is believed only when
// it is the one that always means it.
func loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// who says, for a person, as whom this client logs in.
func (s SASL) who() string {
	switch s.Mechanism {
	case "":
		return "a client without a login"
	case AWSMSKIAM:
		return AWSMSKIAM
	}
	return fmt.Sprintf("%s as user %q", s.Mechanism, s.Username)
}

// mend says what to look at when a login is refused.
func (s SASL) mend() string {
	switch {
	case s.Mechanism == AWSMSKIAM:
		return "check the role that AWS' credential chain finds here, sasl.region, and that the role's policy allows kafka-cluster:Connect"
	case s.PasswordFile != "":
		return "check sasl.username and what " + s.PasswordFile + " (sasl.password_file) holds; it is read again at each attempt"
	}
	return "check sasl.username and sasl.password"
}
