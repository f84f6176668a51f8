package redact

// FindField is findField, for tests of the table of names.
func (d *Detector) FindField(name, value string) []Match { return d.findField(name, value) }

// NamesSecret is namesSecret, for the same tests.
func (d *Detector) NamesSecret(name string) bool { return d.namesSecret(name) }
