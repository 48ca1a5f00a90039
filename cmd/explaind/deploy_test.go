package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const deployFolder = "../../deploy"

// manifest is what the tests look at in a document of Kubernetes.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Data       map[string]string
	Spec       struct {
		ClusterIP string `yaml:"clusterIP"`
		Ports     []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
				EnableServiceLinks            *bool `yaml:"enableServiceLinks"`
				SecurityContext               struct {
					RunAsNonRoot bool `yaml:"runAsNonRoot"`
				} `yaml:"securityContext"`
				Containers []container
				Volumes    []struct{ Name string }
			}
		}
		Ingress []struct{ Ports []struct{ Port int } }
	}
}

type container struct {
	Args  []string
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	ReadinessProbe struct{ GRPC struct{ Port int } } `yaml:"readinessProbe"`
	LivenessProbe  struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"` // the port by its name
	} `yaml:"livenessProbe"`
	Resources       struct{ Requests, Limits map[string]string }
	SecurityContext struct {
		ReadOnlyRootFilesystem   bool                    `yaml:"readOnlyRootFilesystem"`
		AllowPrivilegeEscalation *bool                   `yaml:"allowPrivilegeEscalation"`
		Capabilities             struct{ Drop []string } `yaml:"capabilities"`
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

// settingsOf reads a configuration file's text as serve does; nothing in it may be wrong.
func settingsOf(t *testing.T, text string) *serveFlags {
	t.Helper()
	f, _, wrong := inFile(t, text)
	if wrong != "" {
		t.Fatal(wrong)
	}
	return f
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	must(t, err)
	port, err := strconv.Atoi(text)
	must(t, err)
	return port
}

// longestStop is how long a process may take to end after SIGTERM.
func longestStop(f *serveFlags) time.Duration {
	return f.load.drainDelay + f.load.grace + leaveTimeout
}

func TestDeployKubernetes(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deployFolder, "kubernetes.yaml"))
	must(t, err)
	kinds := map[string]manifest{}
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if m.APIVersion == "" || m.Metadata.Name != "explaind" || kinds[m.Kind].Kind != "" {
			t.Errorf("a document of %q, %q is called %q", m.APIVersion, m.Kind, m.Metadata.Name)
		}
		kinds[m.Kind] = m
	}
	f := settingsOf(t, kinds["ConfigMap"].Data["explaind.yaml"])
	rpc, web := portOf(t, f.grpc), portOf(t, f.http)
	pod := kinds["Deployment"].Spec.Template
	c := pod.Spec.Containers[0]
	// What the container is given is understood.
	if c.Args[0] != "serve" {
		t.Errorf("the arguments are %q", c.Args)
	}
	command := &cobra.Command{Use: "serve"}
	new(serveFlags).register(command)
	must(t, command.ParseFlags(c.Args[1:]))
	config := command.Flags().Lookup(configFlag).Value.String()
	// Folders that the settings name are mounted, and only the cache can be written.
	mounts := map[string]bool{} // path → read-only
	for _, m := range c.VolumeMounts {
		mounts[m.MountPath] = m.ReadOnly
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
	for path, readOnly := range map[string]bool{filepath.Dir(config): true, f.models.folders[0]: true, f.runtime.cache: false} {
		if got, mounted := mounts[path]; !mounted || got != readOnly {
			t.Errorf("%s is mounted: %v, read-only: %v", path, mounted, got)
		}
	}
	// Ports, probes and the service say the same as the settings.
	named := map[string]int{}
	for _, p := range c.Ports {
		named[p.Name] = p.ContainerPort
	}
	if named["grpc"] != rpc || named["http"] != web {
		t.Errorf("the container's ports are %v, the settings say %d and %d", named, rpc, web)
	}
	if c.ReadinessProbe.GRPC.Port != rpc || named[c.LivenessProbe.HTTPGet.Port] != web || c.LivenessProbe.HTTPGet.Path != "/livez" {
		t.Errorf("the probes ask %d and %+v", c.ReadinessProbe.GRPC.Port, c.LivenessProbe)
	}
	for _, p := range kinds["Service"].Spec.Ports {
		if named[p.TargetPort] != p.Port {
			t.Errorf("the service leads port %d to %s", p.Port, p.TargetPort)
		}
	}
	if kinds["Service"].Spec.ClusterIP != "None" || len(kinds["Service"].Spec.Ports) != 2 {
		t.Errorf("the service is %+v", kinds["Service"].Spec)
	}
	for _, rule := range kinds["NetworkPolicy"].Spec.Ingress {
		if port := rule.Ports[0].Port; port != rpc && port != web {
			t.Errorf("the policy lets port %d in", port)
		}
	}
	if len(kinds["NetworkPolicy"].Spec.Ingress) == 0 || kinds["PodDisruptionBudget"].Kind == "" {
		t.Error("the policy or the budget is missing")
	}
	// A stop has the time that it may take.
	if given := time.Duration(pod.Spec.TerminationGracePeriodSeconds) * time.Second; given <= longestStop(f) {
		t.Errorf("a stop is given %v, and may take %v", given, longestStop(f))
	}
	own := c.SecurityContext
	if !pod.Spec.SecurityContext.RunAsNonRoot || !own.ReadOnlyRootFilesystem || own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation ||
		!slices.Equal(own.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("the container may do more than it needs: %+v", own)
	}
	if links := pod.Spec.EnableServiceLinks; links == nil || *links {
		t.Error("the service would set variables that look like settings")
	}
	if c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" || c.Resources.Requests["cpu"] == "" {
		t.Errorf("resources: %+v", c.Resources)
	}
}

func TestDeploySystemd(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deployFolder, "explaind.service"))
	must(t, err)
	settings, err := os.ReadFile(filepath.Join(deployFolder, "explaind.yaml"))
	must(t, err)
	f := settingsOf(t, string(settings))
	unit := map[string]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		if key, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			unit[key] = value
		}
	}
	r := newRig(t)
	for key, command := range map[string]string{"ExecStart": "serve", "ExecStartPre": "config check"} {
		args := strings.Fields(unit[key])
		if len(args) < 2 || filepath.Base(args[0]) != "explaind" || !strings.HasPrefix(strings.Join(args[1:], " "), command+" ") {
			t.Fatalf("%s is %q", key, unit[key])
		}
		r.run(append(args[1:], "--help")...).want(t, statusGood) // flags are parsed first
	}
	seconds, err := strconv.Atoi(unit["TimeoutStopSec"])
	must(t, err)
	if given := time.Duration(seconds) * time.Second; given <= longestStop(f) {
		t.Errorf("a stop is given %v, and may take %v", given, longestStop(f))
	}
	if f.runtime.cache != "/var/cache/"+unit["CacheDirectory"] {
		t.Errorf("the cache is %s, systemd makes %s", f.runtime.cache, unit["CacheDirectory"])
	}
	if unit["RestartPreventExitStatus"] != strconv.Itoa(statusNotStarted) {
		t.Errorf("a server that cannot start is tried again unless it exits with %s", unit["RestartPreventExitStatus"])
	}
	// What is commented out is right too: each credential is the value of a setting.
	given := regexp.MustCompile(`(?m)^#LoadCredential=([^:]+):/`).FindAllStringSubmatch(string(data), -1)
	taken := regexp.MustCompile(`(EXPLAIND_[A-Z_]+)=%d/(\S+)`).FindAllStringSubmatch(string(data), -1)
	if len(given) == 0 || len(given) != len(taken) {
		t.Fatalf("%d credentials are given, %d taken", len(given), len(taken))
	}
	for i := range given {
		if given[i][1] != taken[i][2] || !slices.ContainsFunc(serveSettings().names(), func(name string) bool { return variable(name) == taken[i][1] }) {
			t.Errorf("%s is %s", taken[i][1], given[i][1])
		}
	}
	settingsOf(t, regexp.MustCompile(`(?m)^#([a-z-]+: )`).ReplaceAllString(string(settings), "$1"))
}

func TestDeployDockerfile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deployFolder, "Dockerfile"))
	must(t, err)
	text := string(data)
	for _, pair := range regexp.MustCompile(`\b(EXPLAIND_[A-Z_]+)=(\S+)`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(serveSettings().names(), func(name string) bool { return variable(name) == pair[1] }) {
			t.Errorf("%s is no setting", pair[1])
		}
		t.Setenv(pair[1], pair[2])
	}
	f, _, err := settled(t)
	must(t, err)
	if want := "EXPOSE " + strconv.Itoa(portOf(t, f.grpc)) + " " + strconv.Itoa(portOf(t, f.http)) + "\n"; !strings.Contains(text, want) {
		t.Errorf("the file lacks %q", want)
	}
	if !strings.Contains(text, "VOLUME "+f.runtime.cache+"\n") || len(f.models.folders) != 1 {
		t.Errorf("the cache is %s, models are in %q", f.runtime.cache, f.models.folders)
	}
	for _, instruction := range []string{"ENTRYPOINT", "CMD"} {
		line := regexp.MustCompile(`(?m)^` + instruction + ` (.*)$`).FindStringSubmatch(text)
		var words []string
		if line == nil || json.Unmarshal([]byte(line[1]), &words) != nil || len(words) == 0 {
			t.Errorf("%s is %q", instruction, line)
		}
	}
}

// The service config that the page gives to clients is one.
func TestServiceConfigOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) == 0 {
		t.Fatal("the page has no service config")
	}
	for _, block := range blocks {
		connection, err := grpc.NewClient("127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig(block[1]))
		if err != nil {
			t.Fatalf("%s\n%v", block[1], err)
		}
		connection.Close()
		for _, name := range regexp.MustCompile(`"service": "([^"]+)"`).FindAllStringSubmatch(block[1], -1) {
			if name[1] != "explaind.v1.ExplainService" {
				t.Errorf("there is no service %s", name[1])
			}
		}
	}
}
