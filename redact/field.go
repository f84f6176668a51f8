package redact

import "bytes"

// assignedSecret is the kind of what only a name tells to be a secret.
const assignedSecret = "assigned_secret"

// FindField is [Detector.Find] for the value of a named field, such as a member
// of a JSON object: where the name says that a password, a key or a token
// follows, the whole value is one, however it looks.
func (d *Detector) FindField(name, value string) []Match {
	found := d.Find(value)
	if !d.tellsSecret(name, value) || len(found) == 1 && found[0].End-found[0].Start == len(value) {
		return found
	}
	return []Match{{assignedSecret, ClassSecret, 0, len(value)}}
}

// tellsSecret reports whether the name tells that a value is a secret.
func (d *Detector) tellsSecret(name, value string) bool {
	if value == "" || !d.assigned {
		return false
	}
	var buf [maxName]byte
	bare := bareName(buf[:0], name)
	return endsSecret(bare) || bytes.HasSuffix(bare, []byte("token")) && len(value) >= 8 && mixed(value)
}

// NamesSecret reports whether whatever stands under a name is a secret.
func (d *Detector) NamesSecret(name string) bool {
	var buf [maxName]byte
	return d.assigned && endsSecret(bareName(buf[:0], name))
}

// bareName appends a name in small letters, without separators and in the
// singular; nothing for one that is too long.
func bareName(bare []byte, name string) []byte {
	if len(name) > maxName {
		return bare
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			bare = append(bare, c|0x20)
		case c != '_' && c != '-' && c != '.' && c != ' ':
			bare = append(bare, c)
		}
	}
	return bytes.TrimSuffix(bare, []byte("s"))
}

func endsSecret(bare []byte) bool {
	for _, n := range secretNames {
		if len(bare) >= len(n) && string(bare[len(bare)-len(n):]) == n {
			return true
		}
	}
	return false
}

// maxName bounds the names that are looked at, in bytes.
const maxName = 128

// secretNames are the ends of names whose values are secrets, in lower case,
// without separators and in the singular. "key" and "token" alone are not among
// them: most keys are those of a table, and most tokens are words.
var secretNames = [...]string{
	"password", "passwd", "passphrase", "pwd", "secret", "credential", "authorization",
	"apikey", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey",
	"accesstoken", "refreshtoken", "authtoken", "sessiontoken", "idtoken", "bearertoken", "apitoken",
}
