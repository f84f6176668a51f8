{{/* Name of all objects: the release's, unless it says evalworker already. */}}
{{- define "evalworker.name" -}}
{{- if contains "evalworker" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-evalworker" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "evalworker.selector" -}}
app.kubernetes.io/name: evalworker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "evalworker.labels" -}}
{{ include "evalworker.selector" . }}
app.kubernetes.io/version: {{ include "evalworker.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Version that runs: the image's tag, as far as a label holds it. */}}
{{- define "evalworker.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." }}
{{- end }}

{{- define "evalworker.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "evalworker.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "evalworker.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* "true" when the store is a SQLite file, which belongs to one worker. */}}
{{- define "evalworker.sqlite" -}}
{{- $url := dig "store" "url" "sqlite:evalworker.db" .Values.config -}}
{{- if hasPrefix "sqlite:" $url }}true{{ end }}
{{- end }}

{{/* The SQLite store with its path on the volume, where pods may write. */}}
{{- define "evalworker.storeURL" -}}
{{- $path := dig "store" "url" "sqlite:evalworker.db" .Values.config | trimPrefix "sqlite:" -}}
sqlite:{{ if hasPrefix "/" $path }}{{ $path }}{{ else }}/var/lib/evalworker/{{ $path }}{{ end }}
{{- end }}

{{/* The secret and key that hold the health server's token. */}}
{{- define "evalworker.tokenSecret" -}}
{{- .Values.secrets.healthToken.name | default (printf "%s-health" (include "evalworker.name" .)) }}
{{- end }}

{{/* Memory for Go's runtime: nine tenths of a limit in Mi or Gi; empty for any other. */}}
{{- define "evalworker.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $limit }}{{ div (mul (trimSuffix "Mi" $limit | int64) 9) 10 }}MiB
{{- else if regexMatch "^[0-9]+Gi$" $limit }}{{ div (mul (trimSuffix "Gi" $limit | int64) 9216) 10 }}MiB
{{- end }}
{{- end }}

{{/* Faults that a schema cannot express. */}}
{{- define "evalworker.check" -}}
{{- if include "evalworker.sqlite" . }}
{{- if ne .Values.autoscaling.mode "off" }}{{ fail "autoscaling needs a store that workers share: set config.store.url to postgres://USER@HOST/DATABASE; a SQLite file belongs to one worker" }}{{ end }}
{{- if gt (int .Values.replicas) 1 }}{{ fail (printf "replicas: %d workers cannot share a SQLite file: set config.store.url to postgres://USER@HOST/DATABASE, or replicas to 1" (int .Values.replicas)) }}{{ end }}
{{- end }}
{{- range $key, $mend := dict "shutdown" "shutdown.graceSeconds and closeSeconds" "health" "secrets.healthToken and metrics.enabled" }}
{{- if hasKey $.Values.config $key }}{{ fail (printf "config.%s: set %s instead, so that the pod's probes and grace period agree" $key $mend) }}{{ end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if regexMatch "^EVALWORKER_(SHUTDOWN_|HEALTH_|CONFIG$)" (toString .name) }}{{ fail (printf "extraEnv: %s would not agree with the pod's probes and grace period: set shutdown, secrets.healthToken or metrics instead" .name) }}{{ end }}
{{- end }}
{{- if hasKey (default dict .Values.config.datadog) "enabled" }}{{ fail "config.datadog.enabled: set datadog.agent instead" }}{{ end }}
{{- if ne .Values.autoscaling.mode "off" }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}{{ fail "autoscaling.minReplicas is above maxReplicas" }}{{ end }}
{{- $inFlight := dig "kafka" "max_in_flight" 256 .Values.config | int }}
{{- if lt (int .Values.autoscaling.lagThreshold) (mul 4 $inFlight) }}{{ fail (printf "autoscaling.lagThreshold: %d is below four times config.kafka.max_in_flight (%d): events in flight alone would scale the fleet" (int .Values.autoscaling.lagThreshold) $inFlight) }}{{ end }}
{{- end }}
{{- if and .Values.metrics.podMonitor.enabled (not .Values.metrics.enabled) }}{{ fail "metrics.podMonitor.enabled: there are no metrics to ask for, because metrics.enabled is false" }}{{ end }}
{{- range $name, $ref := .Values.secrets }}
{{- if and $ref (or (not $ref.name) (not $ref.key)) }}{{ fail (printf "secrets.%s: name and key are both needed" $name) }}{{ end }}
{{- end }}
{{- end }}

{{/* How fast an autoscaler may change the fleet: each change is a rebalance. */}}
{{- define "evalworker.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: 30
  policies:
    - {type: Pods, value: 4, periodSeconds: 60}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownStabilizationSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: {{ .Values.autoscaling.scaleDownPeriodSeconds }}}
{{- end }}
