package chart

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/roomgate/roomgate/config"
)

// jwtSecret is what is in each Secret that verifies tokens.
const jwtSecret = "a secret of tests, sixty-four bytes long, so that none warns....."

// installed writes what the pods of a release have in /etc/roomgate to a directory of the test's, and returns the
// settings file in it.
func installed(t testing.TB, r rendering, d *appsv1.Deployment) (file string) {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			text := one[*corev1.ConfigMap](t, r, v.ConfigMap.Name).Data["config.yaml"]
			file = put("config/config.yaml", strings.ReplaceAll(text, "/etc/roomgate/", dir+"/"))
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				for _, item := range source.Secret.Items {
					text := jwtSecret
					if item.Path == "redis-url" {
						text = "redis://redis:6379"
					}
					put(filepath.Join("secrets", item.Path), text)
				}
			}
		}
	}
	return file
}

// variables are those of the container that stand there as they are.
func variables(d *appsv1.Deployment) (environ []string) {
	for _, v := range d.Spec.Template.Spec.Containers[0].Env {
		if v.ValueFrom == nil {
			environ = append(environ, v.Name+"="+v.Value)
		}
	}
	return environ
}

func TestTheGatewayTakesEachConfigAndIsGivenTimeToDrain(t *testing.T) {
	matrix(t, func(t *testing.T, values map[string]any) {
		r := mustRender(t, values)
		d := gatewayOf(t, r)
		c, err := config.Load(config.Source{Environ: variables(d), File: installed(t, r, d)})
		if err != nil {
			t.Fatal(err)
		}

		ports := map[string]string{}
		for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
			ports[p.Name] = fmt.Sprintf(":%d", p.ContainerPort)
		}
		if ports["clients"] != c.HTTP.Addr || ports["admin"] != c.Admin.Addr {
			t.Errorf("the pod's ports are %v, but the gateway listens on %s and %s", ports, c.HTTP.Addr, c.Admin.Addr)
		}

		// drainSlack of cmd/roomgate, and the parts of a second that the chart cuts off.
		const slack = 10*time.Second + 2*time.Second
		drain := c.Drain.Delay + c.Drain.Period
		grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
		if grace < drain+slack || grace > drain+slack+30*time.Second {
			t.Errorf("pods are killed after %v, want %v and a little more", grace, drain+slack)
		}
		if pace := time.Duration(d.Spec.MinReadySeconds) * time.Second; pace < drain-2*time.Second || pace > drain {
			t.Errorf("a rollout goes on after %v, want the time of a drain, %v", pace, drain)
		}
	})
}

// gatewayOf is the Deployment of roomgate itself.
func gatewayOf(t testing.TB, r rendering) *appsv1.Deployment {
	t.Helper()
	for _, d := range all[*appsv1.Deployment](r) {
		if d.Spec.Template.Spec.Containers[0].Name == "roomgate" {
			return d
		}
	}
	t.Fatal("there is no Deployment of roomgate")
	return nil
}

func TestGOMEMLIMITIsThreeQuartersOfTheLimit(t *testing.T) {
	for limit, want := range map[string]string{
		"1Gi": "768MiB", "512Mi": "384MiB", "1.5Gi": "1152MiB", "2G": "1430MiB", "1073741824": "768MiB", `"1073741824"`: "768MiB", "100000k": "71MiB",
	} {
		d := gatewayOf(t, mustRender(t, usual(t, fmt.Sprintf("resources: {limits: {memory: %s}}", limit))))
		got := ""
		for _, v := range variables(d) {
			if value, ok := strings.CutPrefix(v, "GOMEMLIMIT="); ok {
				got = value
			}
		}
		if got != want {
			t.Errorf("with a limit of %s GOMEMLIMIT is %q, want %q", limit, got, want)
		}
		var mebi float64
		quantity := d.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().AsApproximateFloat64()
		if _, err := fmt.Sscanf(got, "%fMiB", &mebi); err != nil || math.Abs(mebi*(1<<20)-quantity*0.75) > 1<<20 {
			t.Errorf("GOMEMLIMIT is %s, want three quarters of the %.0f bytes that Kubernetes reads", got, quantity)
		}
	}
}

func TestGOMAXPROCSIsThatOfTheLimitIfThereIsOne(t *testing.T) {
	for values, want := range map[string]bool{`{}`: true, `resources: {limits: {cpu: null}}`: false} {
		got := false
		for _, v := range gatewayOf(t, mustRender(t, usual(t, values))).Spec.Template.Spec.Containers[0].Env {
			if v.Name == "GOMAXPROCS" {
				got = v.ValueFrom.ResourceFieldRef.Resource == "limits.cpu" && v.ValueFrom.ResourceFieldRef.Divisor.String() == "1"
			}
		}
		if got != want {
			t.Errorf("with %s GOMAXPROCS is set: %t, want %t", values, got, want)
		}
	}
}

func TestAnotherConfigMakesOtherPodsAndNothingElseDoes(t *testing.T) {
	sum := func(values ...string) string {
		return gatewayOf(t, mustRender(t, usual(t, values...))).Spec.Template.Annotations["checksum/config"]
	}
	if sum() == "" || sum() == sum(`config: {log: {level: debug}}`) {
		t.Error("another setting leaves the pods as they are")
	}
	if sum() != sum(`replicas: 7`) {
		t.Error("another number of replicas makes other pods")
	}
}

func TestTheChartsDrainIsTheGatewaysOwnDefault(t *testing.T) {
	r := mustRender(t, usual(t))
	d := gatewayOf(t, r)
	c, err := config.Load(config.Source{File: installed(t, r, d)})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := config.Load(config.Source{Environ: []string{"JWT_SECRET=" + jwtSecret}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Drain != plain.Drain {
		t.Errorf("values.yaml has %v, want the default of the settings, %v", c.Drain, plain.Drain)
	}
}
