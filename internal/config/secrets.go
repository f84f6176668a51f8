package config

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/store"
)

// secrets fills in values from files and the environment: the models' keys, with a
// fallback, the address of their server, and the store's password. Files are read
// with every load, so that a new key makes a new configuration.
func (c *Config) secrets(env *environment, fallback string) fault.List {
	var faults fault.List
	c.files()
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		m := c.Models[name]
		path := "models." + name
		m.APIKey = dropRedacted(m.APIKey)
		switch {
		case m.KeyFile != "":
			file := c.Resolve(m.KeyFile)
			key, err := secret.FromFile(file)
			if err != nil {
				faults.Add(path+".key_file", err.Error(), "want a file that holds the key alone")
			}
			m.APIKey, m.KeyFile = key, absolute(file)
		case m.APIKey == "":
			m.APIKey = secret.String(fallback)
		}
		if url := env.vars[envBaseURL]; url != "" && m.BaseURL == "" && m.API == "openai" {
			m.BaseURL = url
			env.origin[path+".base_url"] = envBaseURL
		}
		c.Models[name] = m
	}
	return append(faults, c.storePassword(env)...)
}

// keyFiles returns the files of the models' keys, in the order of the models' names.
func (c *Config) keyFiles() (files []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if file := c.Models[name].KeyFile; file != "" {
			files = append(files, file)
		}
	}
	return files
}

// storePassword fills in the password of the store, from a file or from its URL,
// and removes it from the URL, which can then be shown. A password in the
// environment, in either form, takes precedence over all in the file.
func (c *Config) storePassword(env *environment) fault.List {
	var faults fault.List
	s := c.Store
	s.Password = dropRedacted(s.Password)
	bare := store.Config{URL: s.URL}.Separated()
	s.URL = bare.URL
	inURL := bare.Password
	if env.sets("store.password") || env.sets("store.password_file") || env.sets("store.url") && inURL != "" {
		if !env.sets("store.password") {
			s.Password = ""
		}
		if !env.sets("store.password_file") {
			s.PasswordFile = ""
		}
		if !env.sets("store.url") {
			inURL = ""
		}
	}
	switch {
	case s.PasswordFile != "" && s.Password != "":
		faults.Add("store.password_file", "store.password is set too", "want one of the two")
	case s.PasswordFile != "" && inURL != "":
		faults.Add("store.password_file", "store.url holds a password too", "want one of the two")
	case s.PasswordFile != "":
		file := c.Resolve(s.PasswordFile)
		password, err := secret.FromFile(file)
		if err != nil {
			faults.Add("store.password_file", err.Error(), "want a file that holds the password alone")
		}
		s.Password, s.PasswordFile = password, absolute(file)
	case s.Password == "":
		s.Password = inURL
	}
	c.Store = s
	return faults
}

// files makes the paths of certificates and secrets absolute. The parts read these
// files whenever they need them, so that a rotated one needs no reload. A store beside
// a configuration in the working directory keeps its short name in messages.
func (c *Config) files() {
	switch c.Folder {
	case "", ".":
	default:
		c.Store = c.Store.In(absolute(c.Folder))
	}
	for _, path := range []*string{
		&c.Kafka.TLS.CAFile, &c.Kafka.TLS.CertFile, &c.Kafka.TLS.KeyFile, &c.Kafka.SASL.PasswordFile, &c.Health.TokenFile,
	} {
		if *path != "" {
			*path = absolute(c.Resolve(*path))
		}
	}
	c.Kafka.SASL.Password = dropRedacted(c.Kafka.SASL.Password)
	c.Health.Token = dropRedacted(c.Health.Token)
}

// dropRedacted drops the mark that Print writes in place of a secret.
func dropRedacted(s secret.String) secret.String {
	if s.Reveal() == secret.String("x").String() {
		return ""
	}
	return s
}

// absolute makes a path independent of where the program runs.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
