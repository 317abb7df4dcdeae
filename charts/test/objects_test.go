package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	podapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestEachChoiceOfValuesIsWhatKubernetesTakes(t *testing.T) {
	matrix(t, func(t *testing.T, values map[string]any) { checkObjects(t, mustRender(t, values)) })
}

// Helm takes names of up to 53 characters.
func TestAReleaseMayHaveAnyName(t *testing.T) {
	for _, name := range []string{"gateway", "roomgate-2", "a", "a" + strings.Repeat("b", 52), "roomgate-" + strings.Repeat("c", 44)} {
		checkObjects(t, mustRenderAs(t, name, parse(t, axes["tokens"][plain], axes["redis"]["trial"], axes["watch"]["operator"])))
	}
}

func checkObjects(t *testing.T, r rendering) {
	t.Helper()
	checkMetadata(t, r)
	for _, d := range all[*appsv1.Deployment](r) {
		checkRestricted(t, d)
		checkFiles(t, d, r)
	}
	checkPointers(t, r)
}

func checkMetadata(t *testing.T, r rendering) {
	seen := map[string]bool{}
	for _, object := range r.objects {
		o := object.(metav1.Object)
		id := fmt.Sprintf("%T %s", object, o.GetName())
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		if o.GetNamespace() != namespace {
			t.Errorf("%s is in namespace %q, want that of the release", id, o.GetNamespace())
		}
		if problems := validation.IsDNS1035Label(o.GetName()); problems != nil {
			t.Errorf("%s: %v", id, problems)
		}
		for key, value := range o.GetLabels() {
			if problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); problems != nil {
				t.Errorf("%s: label %s: %s: %v", id, key, value, problems)
			}
		}
		for key := range o.GetAnnotations() {
			if problems := validation.IsQualifiedName(key); problems != nil {
				t.Errorf("%s: annotation %s: %v", id, key, problems)
			}
		}
	}
}

// checkRestricted holds a pod to the restricted Pod Security Standard, and to what this chart promises beyond it.
func checkRestricted(t *testing.T, d *appsv1.Deployment) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := podapi.LevelVersion{Level: podapi.LevelRestricted, Version: podapi.LatestVersion()}
	pod := d.Spec.Template
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			t.Errorf("%s: %s: %s", d.Name, result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if mount := pod.Spec.AutomountServiceAccountToken; mount == nil || *mount {
		t.Errorf("%s gets a token of Kubernetes", d.Name)
	}
	if links := pod.Spec.EnableServiceLinks; links == nil || *links {
		t.Errorf("%s gets the variables of Services", d.Name)
	}
	for _, c := range pod.Spec.Containers {
		if root := c.SecurityContext.ReadOnlyRootFilesystem; root == nil || !*root {
			t.Errorf("%s may write to its root", c.Name)
		}
		for _, port := range c.Ports {
			if problems := validation.IsValidPortName(port.Name); problems != nil {
				t.Errorf("%s: port %s: %v", c.Name, port.Name, problems)
			}
		}
	}
	if !selects(d.Spec.Selector, pod.Labels) {
		t.Errorf("%s does not select its own pods", d.Name)
	}
}

// checkFiles finds each mount's volume, and each ConfigMap that is mounted.
func checkFiles(t *testing.T, d *appsv1.Deployment, r rendering) {
	volumes := map[string]bool{}
	for _, v := range d.Spec.Template.Spec.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil {
			one[*corev1.ConfigMap](t, r, v.ConfigMap.Name)
		}
	}
	for _, m := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("%s mounts %s, which is no volume", d.Name, m.Name)
		}
		delete(volumes, m.Name)
	}
	for v := range volumes {
		t.Errorf("%s mounts no volume %s", d.Name, v)
	}
}

// checkPointers finds what each object names or selects.
func checkPointers(t *testing.T, r rendering) {
	deployments := all[*appsv1.Deployment](r)
	pods := func(selector *metav1.LabelSelector) (found []*appsv1.Deployment) {
		for _, d := range deployments {
			if selects(selector, d.Spec.Template.Labels) {
				found = append(found, d)
			}
		}
		return found
	}
	want := func(what string, selector *metav1.LabelSelector, ports ...string) {
		t.Helper()
		found := pods(selector)
		if len(found) != 1 {
			t.Fatalf("%s selects the pods of %d Deployments, want 1", what, len(found))
		}
		for _, port := range ports {
			if !hasPort(found[0], port) {
				t.Errorf("%s is for the port %s, which %s lacks", what, port, found[0].Name)
			}
		}
	}
	for _, s := range all[*corev1.Service](r) {
		for _, p := range s.Spec.Ports {
			want("Service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, p.TargetPort.String())
		}
	}
	for _, p := range all[*policyv1.PodDisruptionBudget](r) {
		want("PodDisruptionBudget", p.Spec.Selector)
	}
	for _, p := range all[*networkingv1.NetworkPolicy](r) {
		for _, rule := range p.Spec.Ingress {
			for _, port := range rule.Ports {
				want("NetworkPolicy "+p.Name, &p.Spec.PodSelector, port.Port.String())
			}
		}
	}
	for _, h := range all[*autoscalingv2.HorizontalPodAutoscaler](r) {
		one[*appsv1.Deployment](t, r, h.Spec.ScaleTargetRef.Name)
	}
	for _, s := range all[*scaledObject](r) {
		one[*appsv1.Deployment](t, r, s.Spec.ScaleTargetRef.Name)
	}
	for _, i := range all[*networkingv1.Ingress](r) {
		backend := i.Spec.Rules[0].HTTP.Paths[0].Backend.Service
		if s := one[*corev1.Service](t, r, backend.Name); s.Spec.Ports[0].Name != backend.Port.Name {
			t.Errorf("the Ingress leads to port %q of the Service, which is %q", backend.Port.Name, s.Spec.Ports[0].Name)
		}
	}
	for _, h := range all[*gatewayv1.HTTPRoute](r) {
		backend := h.Spec.Rules[0].BackendRefs[0].BackendObjectReference
		if s := one[*corev1.Service](t, r, string(backend.Name)); s.Spec.Ports[0].Port != *backend.Port {
			t.Errorf("the HTTPRoute leads to port %d of the Service, which is %d", *backend.Port, s.Spec.Ports[0].Port)
		}
	}
	for _, m := range all[*monitoringv1.ServiceMonitor](r) {
		var found []string
		for _, s := range all[*corev1.Service](r) {
			if selects(&m.Spec.Selector, s.Labels) {
				found = append(found, s.Name+" "+s.Spec.Ports[0].Name)
			}
		}
		if len(found) != 1 || !strings.HasSuffix(found[0], "-admin "+m.Spec.Endpoints[0].Port) {
			t.Errorf("the ServiceMonitor scrapes %q, want the Service of the admin port alone", found)
		}
	}
}

func selects(selector *metav1.LabelSelector, labels map[string]string) bool {
	if len(selector.MatchLabels) == 0 {
		return false
	}
	rest := maps.Clone(labels)
	maps.DeleteFunc(rest, func(k, v string) bool { return selector.MatchLabels[k] != v })
	return len(rest) == len(selector.MatchLabels)
}

func hasPort(d *appsv1.Deployment, name string) bool {
	return slices.ContainsFunc(d.Spec.Template.Spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == name })
	})
}
