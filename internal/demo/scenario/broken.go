package scenario

// Broken gives the prompt versions that this scenario makes worse than its
// first one: more invalid JSON, or fewer good answers. It is the truth with
// which a finding can be compared, and must not be used to find it.
func (s *Scenario) Broken() []string {
	var out []string
	first := s.versions.items[0]
	for _, v := range s.versions.items[1:] {
		if v.InvalidJSON > first.InvalidJSON || v.Answers["good"] < first.Answers["good"] {
			out = append(out, v.Version)
		}
	}
	return out
}
