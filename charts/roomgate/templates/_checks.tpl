{{/* What a schema cannot say: values that do not go together. Each message begins with the value to change. */}}
{{- define "roomgate.check" -}}
{{- $c := .Values.config -}}
{{- $auth := default dict $c.auth -}}
{{- $redis := default dict $c.redis -}}
{{- $http := default dict $c.http -}}
{{- $env := list -}}
{{- range .Values.extraEnv }}{{ $env = append $env .name }}{{ end -}}
{{- $public := or $auth.jwks_url (eq (toString $auth.discovery) "true") $auth.issuers -}}

{{- if $http.addr }}{{ fail "config.http.addr: the chart sets it; the port for clients is service.port" }}{{ end -}}
{{- if $c.admin }}{{ fail "config.admin: the chart sets admin.addr, which probes and Prometheus use" }}{{ end -}}
{{- if or $http.tls_cert_file $http.tls_key_file }}{{ fail "config.http.tls_cert_file, config.http.tls_key_file: name a Secret of type kubernetes.io/tls in tls.secret instead" }}{{ end -}}

{{- $secret := "a ConfigMap can be read by too many: put it into a Secret, and name that in" -}}
{{- if $auth.secret }}{{ fail (printf "config.auth.secret: %s secrets.jwt" $secret) }}{{ end -}}
{{- if $redis.password }}{{ fail (printf "config.redis.password: %s secrets.redisPassword" $secret) }}{{ end -}}
{{- if $redis.sentinel_password }}{{ fail (printf "config.redis.sentinel_password: %s secrets.files, and its path in config.redis.sentinel_password_file" $secret) }}{{ end -}}
{{- if regexMatch "://[^/?#]*:[^/?#]*@" (toString $redis.url) }}{{ fail (printf "config.redis.url has a password: %s secrets.redisUrl" $secret) }}{{ end -}}
{{- range $i, $issuer := $auth.issuers }}
{{- if $issuer.secret }}{{ fail (printf "config.auth.issuers[%d].secret: %s secrets.files, and its path in secret_file" $i $secret) }}{{ end -}}
{{- end -}}
{{- range .Values.extraEnv }}
{{- if and (regexMatch "^(JWT_SECRET|REDIS_URL|ROOMGATE_(AUTH_SECRET|REDIS_URL|REDIS_PASSWORD|REDIS_SENTINEL_PASSWORD))$" .name) .value }}{{ fail (printf "extraEnv: %s is a secret: give it by valueFrom.secretKeyRef, or by secrets" .name) }}{{ end -}}
{{- end -}}

{{- if and (not .Values.secrets.jwt.name) (not $public) (not $auth.secret_file) (not (has "JWT_SECRET" $env)) (not (has "ROOMGATE_AUTH_SECRET" $env)) }}
{{- fail "secrets.jwt.name: who signs the tokens? Name the Secret that holds what they are signed with, or set config.auth.jwks_url, config.auth.discovery or config.auth.issuers" }}
{{- end -}}
{{- if and .Values.secrets.jwt.name (or $public $auth.secret_file) }}
{{- fail "secrets.jwt.name: tokens are verified by this, or by what config.auth has (jwks_url, discovery, issuers, secret_file): keep one of the two" }}
{{- end -}}

{{- $where := list -}}
{{- if or $redis.url $redis.url_file }}{{ $where = append $where "config.redis.url" }}{{ end -}}
{{- if .Values.secrets.redisUrl.name }}{{ $where = append $where "secrets.redisUrl.name" }}{{ end -}}
{{- if .Values.trialRedis.enabled }}{{ $where = append $where "trialRedis.enabled" }}{{ end -}}
{{- if gt (len $where) 1 }}{{ fail (printf "%s: each says where Redis is: keep one" (join ", " $where)) }}{{ end -}}
{{- if and (not $where) (not (has "REDIS_URL" $env)) (not (has "ROOMGATE_REDIS_URL" $env)) }}{{ fail "config.redis.url: where is Redis? Set this, secrets.redisUrl.name, or for a trial trialRedis.enabled" }}{{ end -}}
{{- if and .Values.secrets.redisPassword.name $redis.password_file }}{{ fail "config.redis.password_file: secrets.redisPassword sets it: keep one of the two" }}{{ end -}}

{{- $ping := include "roomgate.seconds" (include "roomgate.setting" (dict "root" . "section" "http" "name" "ping_interval" "default" "30s")) | int -}}
{{- if and .Values.ingress.enabled (le (int .Values.ingress.idleTimeout) (div (mul $ping 11) 10 | int)) }}
{{- fail (printf "ingress.idleTimeout: %d s is not more than http.ping_interval, %d s, and its 10 %%: idle clients would be cut off" (int .Values.ingress.idleTimeout) $ping) }}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}{{ fail "httpRoute.parentRefs: name the Gateway that the route is for" }}{{ end -}}
{{- if and .Values.service.externalTrafficPolicy (eq .Values.service.type "ClusterIP") }}{{ fail "service.externalTrafficPolicy: is for service.type NodePort or LoadBalancer" }}{{ end -}}

{{- with .Values.autoscaling }}
{{- if and .keda.enabled (not .enabled) }}{{ fail "autoscaling.keda.enabled: set autoscaling.enabled, too" }}{{ end -}}
{{- if and .enabled (lt (int .maxReplicas) (int .minReplicas)) }}{{ fail (printf "autoscaling.maxReplicas: %d is less than autoscaling.minReplicas, %d" (int .maxReplicas) (int .minReplicas)) }}{{ end -}}
{{- if and .enabled (not .cpu) (not .connections) }}{{ fail "autoscaling.cpu, autoscaling.connections: by what? One of them must not be 0" }}{{ end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled .Values.autoscaling.cpu (not (dig "requests" "cpu" "" .Values.resources)) }}{{ fail "resources.requests.cpu: autoscaling.cpu is a percentage of it" }}{{ end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.admin) }}
{{- fail "networkPolicy.admin: nobody may scrape, so monitoring.serviceMonitor would see nothing: let your Prometheus in" }}
{{- end -}}
{{- end }}
