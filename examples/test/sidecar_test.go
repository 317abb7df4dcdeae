package test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/redistest"
)

const (
	manifest  = "../sidecar/api.yaml"
	jwtVolume = "/run/secrets/jwt"
	drainEnd  = 10 * time.Second // that a drain takes after drain.period: docs/operating.md
)

// readManifest reads it as strictly as the API server can be asked to: an unknown key is an error.
func readManifest(t *testing.T) (d appsv1.Deployment, s corev1.Service, n networkingv1.NetworkPolicy) {
	t.Helper()
	b, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	documents := bytes.Split(b, []byte("\n---\n"))
	if len(documents) != 3 {
		t.Fatalf("%s has %d documents, want 3", manifest, len(documents))
	}
	for i, into := range []any{&d, &s, &n} {
		if err := yaml.UnmarshalStrict(documents[i], into); err != nil {
			t.Fatalf("%s, document %d: %v", manifest, i+1, err)
		}
	}
	if d.Kind != "Deployment" || s.Kind != "Service" || n.Kind != "NetworkPolicy" {
		t.Fatalf("%s has a %s, a %s and a %s, want a Deployment, a Service and a NetworkPolicy", manifest, d.Kind, s.Kind, n.Kind)
	}
	return d, s, n
}

// sidecar is the container of roomgate.
func sidecar(t *testing.T, d appsv1.Deployment) corev1.Container {
	t.Helper()
	all := d.Spec.Template.Spec.InitContainers
	if len(all) != 1 || all[0].RestartPolicy == nil || *all[0].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Fatalf("%s has %d init containers, want one with restartPolicy Always", manifest, len(all))
	}
	return all[0]
}

// sidecarSettings are the environment that the manifest gives to roomgate, with the volume of the secret somewhere else.
func sidecarSettings(t *testing.T) (env []string) {
	t.Helper()
	d, _, _ := readManifest(t)
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "secret"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range sidecar(t, d).Env {
		if v.ValueFrom != nil {
			t.Fatalf("%s is not a value: this test does not know it", v.Name)
		}
		env = append(env, v.Name+"="+strings.ReplaceAll(v.Value, jwtVolume, volume))
	}
	return env
}

func TestSidecarHasTimeToDrainAfterItsAPI(t *testing.T) {
	d, _, _ := readManifest(t)
	c, err := config.Load(config.Source{Environ: sidecarSettings(t)})
	if err != nil {
		t.Fatalf("roomgate refuses its settings: %v", err)
	}
	pod := d.Spec.Template.Spec
	before := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
	need := before + c.Drain.Delay + c.Drain.Period + drainEnd
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace < need+drainEnd {
		t.Errorf("terminationGracePeriodSeconds are %v, want %v and 10 s for the API to end", grace, need)
	}
	if before < 5*time.Second {
		t.Errorf("the API's preStop waits for %v, want 5 s as drain.delay does by default", before)
	}
}

// A roomgate with these settings answers each probe where the manifest has it, and the Service goes to the port of clients.
func TestSidecarIsProbedAndServedWhereItListens(t *testing.T) {
	d, s, n := readManifest(t)
	c, settings := sidecar(t, d), sidecarSettings(t)
	loaded, err := config.Load(config.Source{Environ: settings})
	if err != nil {
		t.Fatal(err)
	}
	ports := make(map[string]string)
	for _, p := range c.Ports {
		ports[p.Name] = ":" + strconv.Itoa(int(p.ContainerPort))
	}
	if ports["http"] != loaded.HTTP.Addr || ports["admin"] != loaded.Admin.Addr {
		t.Errorf("ports are %v, and roomgate listens on %s and %s", ports, loaded.HTTP.Addr, loaded.Admin.Addr)
	}
	// By number: endpoints have the names of a sidecar's ports from Kubernetes 1.33 on only, and some networks that enforce policies have none.
	if to := s.Spec.Ports[0].TargetPort; ":"+strconv.Itoa(int(to.IntVal)) != loaded.HTTP.Addr || s.Spec.Selector["app"] != d.Spec.Template.Labels["app"] {
		t.Errorf("the Service goes to port %s of %v, want the number in %s, of %v", to.String(), s.Spec.Selector, loaded.HTTP.Addr, d.Spec.Template.Labels)
	}
	let := n.Spec.Ingress
	if len(let) != 1 || len(let[0].Ports) != 1 || ":"+let[0].Ports[0].Port.String() != loaded.HTTP.Addr || n.Spec.PodSelector.MatchLabels["app"] != d.Spec.Template.Labels["app"] {
		t.Errorf("the policy lets %v in to %v, want only %s of %v", let, n.Spec.PodSelector.MatchLabels, loaded.HTTP.Addr, d.Spec.Template.Labels)
	}
	redis := redistest.Start(t)
	g := startGateway(t, settings, "REDIS_URL="+redis.URL())
	for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if status, body := get(t, g.admin+p.HTTPGet.Path); status != http.StatusOK || p.HTTPGet.Port.String() != "admin" {
			t.Errorf("the probe of %s at port %s is %d %s, want 200 at admin", p.HTTPGet.Path, p.HTTPGet.Port.String(), status, body)
		}
	}
}

// What the restricted Pod Security Standard asks of a pod, and the two settings that docs/configuration.md asks for.
func TestSidecarsPodIsRestricted(t *testing.T) {
	d, _, _ := readManifest(t)
	pod := d.Spec.Template.Spec
	if p := pod.SecurityContext; p.RunAsNonRoot == nil || !*p.RunAsNonRoot || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod's securityContext is %v, want no root, and the runtime's seccomp profile", p)
	}
	if *pod.EnableServiceLinks || *pod.AutomountServiceAccountToken {
		t.Error("service links, or the token of a service account, are on")
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("the securityContext of %s is %v, want it restricted", c.Name, s)
		}
	}
}
