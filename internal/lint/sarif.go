package lint

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// SARIF is a report in the Static Analysis Results Interchange Format, version
// 2.1.0, as code scanners read it: only what it needs.
type SARIF struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID                   string      `json:"id"`
	Name                 string      `json:"name"`
	ShortDescription     sarifText   `json:"shortDescription"`
	Help                 sarifText   `json:"help"`
	HelpURI              string      `json:"helpUri"`
	DefaultConfiguration sarifConfig `json:"defaultConfiguration"`
}

type sarifConfig struct {
	Level string `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	PhysicalLocation sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	ArtifactLocation sarifArtifact `json:"artifactLocation"`
	Region           *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

const project = "https://github.com/gatehouse-auth/gatehouse"

// NewSARIF returns the report of findings. The severities have the names of its
// levels.
func NewSARIF(all []Finding) SARIF {
	r := sarifRun{Results: []sarifResult{}}
	r.Tool.Driver = sarifDriver{Name: "gatehouse lint", InformationURI: project}
	for _, rule := range Rules {
		r.Tool.Driver.Rules = append(r.Tool.Driver.Rules, sarifRule{
			ID: rule.ID, Name: rule.Name, ShortDescription: sarifText{rule.Why}, Help: sarifText{rule.Remedy},
			HelpURI:              project + "/blob/main/docs/lint.md#" + strings.ToLower(rule.ID+"-"+rule.Name),
			DefaultConfiguration: sarifConfig{rule.Severity.String()},
		})
	}
	for _, f := range all {
		r.Results = append(r.Results, f.sarif())
	}
	return SARIF{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{r}}
}

func (f *Finding) sarif() sarifResult {
	at := sarifPhysical{ArtifactLocation: sarifArtifact{fileURI(f.Place.File)}}
	if f.Place.Line > 0 {
		at.Region = &sarifRegion{f.Place.Line}
	}
	return sarifResult{
		RuleID: f.Rule.ID, RuleIndex: slices.IndexFunc(Rules, func(r Rule) bool { return r.ID == f.Rule.ID }),
		Level: f.Rule.Severity.String(), Message: sarifText{f.Message + ". " + f.Rule.Remedy},
		Locations: []sarifLocation{{at}},
	}
}

// fileURI is relative for a file that was named so: scanners look it up in the
// repository.
func fileURI(name string) string {
	u := url.URL{Path: filepath.ToSlash(name)}
	if filepath.IsAbs(name) {
		u.Scheme = "file"
	}
	return u.String()
}
