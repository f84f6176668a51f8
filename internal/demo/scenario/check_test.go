package scenario

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// defects are the ways in which a reply can miss its schema.
var defects = []string{"truncated", "wrapped", "wrong_field", "wrong_type"}

// check returns every fault of the data that would make events or verdicts wrong. The
// data are part of the program, so a test checks them and Load does not.
func check(file scenarioFile, w world, tickets []ticket) fault.List {
	var faults fault.List
	shares := make([]float64, 0, len(file.Versions))
	for i, v := range file.Versions {
		at := fmt.Sprintf("versions[%d]", i)
		shares = append(shares, v.Share)
		if v.InvalidJSON < 0 || v.InvalidJSON > 1 {
			faults.Add(at+".invalid_json", "not a share", "a number in [0,1]")
		}
		sumsToOne(&faults, at+".answers", slices.Collect(maps.Values(v.Answers)))
		sumsToOne(&faults, at+".defects", slices.Collect(maps.Values(v.Defects)))
		for _, kind := range slices.Sorted(maps.Keys(v.Answers)) {
			if _, ok := w.Answers[kind]; !ok {
				faults.Add(at+".answers."+kind, "unknown kind of answer", "one of "+strings.Join(slices.Sorted(maps.Keys(w.Answers)), ", "))
			}
		}
		for _, d := range slices.Sorted(maps.Keys(v.Defects)) {
			if !slices.Contains(defects, d) {
				faults.Add(at+".defects."+d, "unknown defect", "one of "+strings.Join(defects, ", "))
			}
		}
	}
	sumsToOne(&faults, "versions", shares)
	checkWorld(&faults, w)
	checkTickets(&faults, w, tickets)
	return faults
}

func checkWorld(faults *fault.List, w world) {
	var models, tenants []float64
	for _, m := range w.Models {
		models = append(models, m.Share)
	}
	for _, t := range w.Tenants {
		tenants = append(tenants, t.Share)
	}
	sumsToOne(faults, "models", models)
	sumsToOne(faults, "tenants", tenants)
	for path, list := range map[string][]string{
		"error_types": w.ErrorTypes, "names": w.Names, "greetings": w.Greetings, "closings": w.Closings,
	} {
		if len(list) == 0 {
			faults.Add(path, "empty", "at least one")
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(w.Answers)) {
		for _, aspect := range w.Answers[kind].Fails {
			if _, ok := w.Judge.Aspects[aspect]; !ok {
				faults.Add("answers."+kind+".fails", fmt.Sprintf("unknown aspect %q", aspect), "one of judge.aspects")
			}
		}
	}
}

func checkTickets(faults *fault.List, w world, tickets []ticket) {
	if len(tickets) == 0 {
		faults.Add("tickets", "empty", "at least one")
	}
	known := make(map[string]bool, len(w.Tools))
	for _, t := range w.Tools {
		known[t.Name] = true
	}
	for i := range tickets {
		t := &tickets[i]
		if len(t.Questions) == 0 {
			faults.Add("tickets."+t.ID, "no question", "at least one")
		}
		if t.Tool != "" && !known[t.Tool] {
			faults.Add("tickets."+t.ID+".tool", fmt.Sprintf("unknown tool %q", t.Tool), "the name of one of tools")
		}
		for _, kind := range slices.Sorted(maps.Keys(w.Answers)) {
			if t.answer(kind) == "" && len(w.Answers[kind].Texts) == 0 {
				faults.Add("tickets."+t.ID+"."+kind, "no answer of this kind", "a text, here or for all tickets")
			}
		}
	}
}

func sumsToOne(faults *fault.List, path string, weights []float64) {
	sum := 0.0
	for _, w := range weights {
		if w < 0 {
			faults.Add(path, "a share below zero", "shares in [0,1]")
		}
		sum += w
	}
	if math.Abs(sum-1) > 1e-9 {
		faults.Add(path, fmt.Sprintf("the shares add up to %g", sum), "shares that add up to 1")
	}
}
