package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// variablePrefix is how the variables of the environment begin that are settings.
const variablePrefix = "EXPLAIND_"

// variable is the name of a setting in the environment: max-queue is EXPLAIND_MAX_QUEUE.
func variable(setting string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// configFile is the path of the configuration file, "" for none.
func (s *settings) configFile() string {
	if flag := s.cmd.Flags().Lookup(configFlag); flag.Changed {
		return flag.Value.String()
	}
	return os.Getenv(variable(configFlag))
}

// fromEnvironment takes over what the environment says of settings that the command line leaves out. A variable that is
// set counts, also if it is empty, as --http "" does. Lists have ; or ends of lines between their values.
func (s *settings) fromEnvironment() error {
	var bad problems
	s.visit(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		text, found := os.LookupEnv(name)
		if _, given := s.origins[flag.Name]; given || !found {
			return
		}
		values := []string{text}
		_, list := flag.Value.(pflag.SliceValue)
		if list {
			var err error
			if values, err = splitList(text); err != nil {
				bad.add(fmt.Errorf("%s: %w", name, err))
				return
			}
		}
		bad.add(s.set(flag, origin{variable: name}, values, list))
	})
	s.warnOfVariables()
	return bad.err()
}

// splitList reads values with ; between them. Values that hold one stand in double quotes.
func splitList(text string) ([]string, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma = ';'
	reader.FieldsPerRecord = -1
	reader.TrimLeadingSpace = true
	lines, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("not values with ; between them: %w", err)
	}
	var values []string
	for _, line := range lines {
		values = append(values, line...)
	}
	return values, nil
}

// ofKubernetes are the variables that Kubernetes makes of a service that is called explaind, as EXPLAIND_PORT_8500_TCP.
var ofKubernetes = regexp.MustCompile(`^EXPLAIND_(.*_)?(PORT|SERVICE)(_|$)`)

// warnOfVariables notices misspelled settings. A variable that is near to none is no mistake: others use the prefix too.
func (s *settings) warnOfVariables() {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, variablePrefix) || ofKubernetes.MatchString(name) {
			continue
		}
		setting := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, variablePrefix), "_", "-"))
		if s.cmd.Flags().Lookup(setting) != nil || name == tokenVariable {
			continue
		}
		if near := nearFlags(s.cmd, setting); len(near) > 0 {
			s.warnings = append(s.warnings, fmt.Sprintf("%s is no setting and is ignored; did you mean %s?", name, variable(strings.TrimPrefix(near[0], "--"))))
		}
	}
}

// servingModel is the model that TensorFlow Serving's image is told of, as NAME=DIR; "" if it is told of none.
func servingModel() string {
	name, base := os.Getenv("MODEL_NAME"), os.Getenv("MODEL_BASE_PATH")
	if name == "" {
		return ""
	}
	if base == "" {
		base = "/models"
	}
	return name + "=" + filepath.Join(base, name)
}
