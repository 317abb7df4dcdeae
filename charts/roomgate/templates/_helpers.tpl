{{/* The name of all objects. Some get a suffix of up to 10 characters, and 63 is the most. */}}
{{- define "roomgate.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "roomgate" $name) }}{{ $name = printf "%s-roomgate" $name }}{{ end -}}
{{- default $name .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- end }}

{{/* The labels by which pods are selected, which never change. */}}
{{- define "roomgate.selector" -}}
app.kubernetes.io/name: roomgate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "roomgate.labels" -}}
{{ include "roomgate.selector" . }}
{{ include "roomgate.chartLabels" . }}
{{- end }}

{{- define "roomgate.chartLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels of the Service that is scraped, and of no pod. */}}
{{- define "roomgate.adminLabels" -}}
app.kubernetes.io/name: roomgate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: admin
{{- end }}

{{- define "roomgate.redisSelector" -}}
app.kubernetes.io/name: redis
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: trial-redis
{{- end }}

{{- define "roomgate.serviceAccount" -}}
{{- $own := ternary (include "roomgate.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $own .Values.serviceAccount.name -}}
{{- end }}

{{/* Images are tagged 1.2.3, where the program prints v1.2.3. */}}
{{- define "roomgate.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default (trimPrefix "v" .Chart.AppVersion) .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* A setting's value: section, name and default; empty if there is none. */}}
{{- define "roomgate.setting" -}}
{{- $section := default dict (get .root.Values.config .section) -}}
{{- $value := get $section .name -}}
{{- ternary .default (toString $value) (or (kindIs "invalid" $value) (eq (toString $value) "")) -}}
{{- end }}

{{/* A duration of roomgate's, such as 1m30s, in whole seconds, rounded down. */}}
{{- define "roomgate.seconds" -}}
{{- $began := toDate "2006-01-02" "2024-01-01" -}}
{{- sub ($began | mustDateModify (toString .) | unixEpoch | int64) ($began | unixEpoch | int64) -}}
{{- end }}

{{/* How long a drain takes by the settings, in seconds. */}}
{{- define "roomgate.drain" -}}
{{- $delay := include "roomgate.setting" (dict "root" . "section" "drain" "name" "delay" "default" "5s") -}}
{{- $period := include "roomgate.setting" (dict "root" . "section" "drain" "name" "period" "default" "30s") -}}
{{- add (include "roomgate.seconds" $delay) (include "roomgate.seconds" $period) -}}
{{- end }}

{{/* 10 s are for clients that answer slowly, 15 for the kubelet and for parts of a second. */}}
{{- define "roomgate.grace" -}}
{{- add (include "roomgate.drain" .) 10 15 -}}
{{- end }}

{{/* A quantity of memory, such as 1Gi, in MiB, and three quarters of it: the rest is for the kernel's buffers of connections. */}}
{{- define "roomgate.memoryLimit" -}}
{{- $text := ternary . (printf "%d" (int64 .)) (kindIs "string" .) -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $bytes := mulf (float64 $number) (get $units (trimPrefix $number $text)) -}}
{{- printf "%dMiB" (divf (mulf $bytes 0.75) 1048576 | floor | int64) -}}
{{- end }}

{{- define "roomgate.secretDir" -}}/etc/roomgate/secrets{{- end }}

{{/* The settings file: config, and what the chart knows better. */}}
{{- define "roomgate.config" -}}
{{- include "roomgate.check" . -}}
{{- $dir := include "roomgate.secretDir" . -}}
{{- $http := dict "addr" ":8080" -}}
{{- if .Values.tls.secret -}}
{{- $_ := set $http "tls_cert_file" "/etc/roomgate/tls/tls.crt" -}}
{{- $_ := set $http "tls_key_file" "/etc/roomgate/tls/tls.key" -}}
{{- end -}}
{{- $auth := dict -}}
{{- if .Values.secrets.jwt.name }}{{ $_ := set $auth "secret_file" (printf "%s/jwt" $dir) }}{{ end -}}
{{- $redis := dict -}}
{{- if .Values.secrets.redisUrl.name }}{{ $_ := set $redis "url_file" (printf "%s/redis-url" $dir) }}{{ end -}}
{{- if .Values.secrets.redisPassword.name }}{{ $_ := set $redis "password_file" (printf "%s/redis-password" $dir) }}{{ end -}}
{{- if .Values.trialRedis.enabled }}{{ $_ := set $redis "url" (printf "redis://%s-redis:6379" (include "roomgate.fullname" .)) }}{{ end -}}
{{- $own := dict "http" $http "admin" (dict "addr" ":9090") "auth" $auth "redis" $redis -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end }}

{{/* Reports whether public keys are fetched: by the short form, or for an issuer of the list. */}}
{{- define "roomgate.fetchesKeys" -}}
{{- $auth := default dict .Values.config.auth -}}
{{- $fetches := or $auth.jwks_url (eq (toString $auth.discovery) "true") -}}
{{- range $auth.issuers }}{{ if or .jwks_url (eq (toString .discovery) "true") }}{{ $fetches = true }}{{ end }}{{ end -}}
{{- if $fetches }}true{{ end -}}
{{- end }}

{{/* Labels that all metrics of this release have, and no others. The ServiceMonitor's job is the name of the Service. */}}
{{- define "roomgate.metrics" -}}
{{- default (printf "namespace=%q,job=\"%s-admin\"" .Release.Namespace (include "roomgate.fullname" .)) .Values.monitoring.selector -}}
{{- end }}

{{/* An expression, of which each metric has these labels, so that it is about this release alone. */}}
{{- define "roomgate.scoped" -}}
{{- $metric := "\\b((?:roomgate|process|go)_[a-z_]+)" -}}
{{- $bare := printf "%s([^a-z_{]|$)" $metric -}}
{{- $expr := regexReplaceAll (printf "%s\\{" $metric) .expr (printf "${1}{%s," .labels) -}}
{{- regexReplaceAll $bare $expr (printf "${1}{%s}${2}" .labels) -}}
{{- end }}

{{/* The files of Secrets, as a projected volume takes them. */}}
{{- define "roomgate.secretSources" -}}
{{- $all := list
  (dict "name" .Values.secrets.jwt.name "key" .Values.secrets.jwt.key "path" "jwt")
  (dict "name" .Values.secrets.redisUrl.name "key" .Values.secrets.redisUrl.key "path" "redis-url")
  (dict "name" .Values.secrets.redisPassword.name "key" .Values.secrets.redisPassword.key "path" "redis-password") -}}
{{- range concat $all .Values.secrets.files }}
{{- if .name }}
- secret:
    name: {{ .name | quote }}
    items: [{key: {{ .key | quote }}, path: {{ .path | quote }}}]
{{- end }}
{{- end }}
{{- end }}
