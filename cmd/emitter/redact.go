package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/redact"
)

// contentFlags say what of the content is kept from Kafka.
type contentFlags struct {
	redact     bool
	configFile string
	keepMedia  bool
}

func (c *contentFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&c.redact, "redact", false, "take secrets and personal data out of events before they leave this machine; content that cannot be redacted is left out")
	f.StringVar(&c.configFile, "redact-config", "", "worker's configuration `FILE` whose section redaction says what to take out (default all kinds); implies --redact")
	f.BoolVar(&c.keepMedia, "keep-media", false, "publish pictures, sounds and files as they are, and not their digest, type and size")
	cli.CompleteFiles(cmd, "redact-config")
}

// apply sets what the flags say in the configuration of an emitter.
func (c *contentFlags) apply(cfg *emitter.Config) error {
	cfg.KeepMedia = c.keepMedia
	if !c.redact && c.configFile == "" {
		return nil
	}
	rules, err := c.rules()
	if err != nil {
		return err
	}
	redactor, err := redact.New(rules)
	if err != nil {
		return err
	}
	limit := cfg.MaxEventBytes
	cfg.Prepare = func(e *event.Event) bool {
		// Its content cannot be published, so it need not be searched either, which takes
		// longer than anything else.
		if contentBytes(e) > limit {
			e.Withhold(event.WithheldTooLarge)
		}
		return redactor.Prepare(e)
	}
	return nil
}

// rules reads the section of the worker's configuration; without a file there are the
// defaults. Whatever else the file holds is the worker's business.
func (c *contentFlags) rules() (redact.Config, error) {
	const section = "redaction"
	if c.configFile == "" {
		return redact.Config{}, nil
	}
	data, err := regular.Read(c.configFile, strictyaml.MaxBytes+1)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		return redact.Config{}, fmt.Errorf("--redact-config: %s cannot be read: %w", c.configFile, err)
	}
	var file struct {
		Redaction redact.Config `yaml:"redaction"`
	}
	doc, faults := strictyaml.Decode(c.configFile, data, &file)
	faults = slices.DeleteFunc(faults, func(f fault.Fault) bool {
		return !doc.Broken("") && f.Path != section && !strings.HasPrefix(f.Path, section+".")
	})
	if len(faults) == 0 {
		var found fault.List
		found.Under(section, file.Redaction.Validate())
		faults = doc.Locate(found)
	}
	switch {
	case len(faults) > 0:
		return redact.Config{}, faults
	case !doc.Has(section):
		return redact.Config{}, fmt.Errorf("--redact-config: %s has no section %s; --redact alone takes out all kinds", c.configFile, section)
	case file.Redaction.Disabled:
		return redact.Config{}, fmt.Errorf("--redact-config: %s disables redaction", c.configFile)
	}
	return file.Redaction, nil
}

// contentBytes returns the size of an event's content.
func contentBytes(e *event.Event) int {
	n := len(e.Input.Raw()) + len(e.Output.Raw()) + len(e.Expected.Raw()) + len(e.Tools.Raw()) + len(e.Comment)
	if e.Retrieval != nil {
		for i := range e.Retrieval.Chunks {
			n += len(e.Retrieval.Chunks[i].Text)
		}
	}
	for i := range e.ToolCalls {
		n += len(e.ToolCalls[i].Arguments.Raw()) + len(e.ToolCalls[i].Result.Raw())
	}
	return n
}
