{{/* Name of all objects: no longer than the label of a pod of a StatefulSet may be. */}}
{{- define "voice-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "voice-exporter.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "voice-exporter.labels" -}}
{{ include "voice-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* Prefix of all paths, "" for none: as the exporter derives it from its configuration. */}}
{{- define "voice-exporter.prefix" -}}
{{- $web := .Values.config.web | default dict -}}
{{- $external := get (urlParse ($web.external_url | default "")) "path" -}}
{{- $web.route_prefix | default $external | trimSuffix "/" -}}
{{- end -}}

{{- define "voice-exporter.scheme" -}}
{{- ternary "https" "http" (and (ne .Values.secrets.web.name "") .Values.secrets.web.tls) -}}
{{- end -}}

{{/* A path of the exporter for a kubelet, which needs neither password nor certificate there. */}}
{{- define "voice-exporter.probe" -}}
httpGet:
  path: {{ include "voice-exporter.prefix" .root }}{{ .path }}
  port: http
  scheme: {{ include "voice-exporter.scheme" .root | upper }}
{{- end -}}

{{/* What the chart adds to `config`: its port, and the paths of files with secrets. */}}
{{- define "voice-exporter.files" -}}
{{- $folder := "/run/secrets/voice-exporter" -}}
{{- with .Values.secrets -}}
livekit:
  api_key_file: {{ $folder }}/livekit/api_key
  api_secret_file: {{ $folder }}/livekit/api_secret
  {{- if .livekit.url }}
  url_file: {{ $folder }}/livekit/url
  {{- end }}
  {{- if .e2ee.name }}
  e2ee_key_file: {{ $folder }}/e2ee/key
  {{- end }}
web:
  listen_address: ":9465"
  {{- if .token.name }}
  token_file: {{ $folder }}/token/token
  {{- end }}
  {{- if .web.name }}
  config_file: /run/secrets/web/{{ .web.key }}
  {{- end }}
{{- if .redis.name }}
store:
  redis:
    url_file: {{ $folder }}/redis/url
{{- end }}
{{- end -}}
{{- end -}}

{{/* The file of the exporter. */}}
{{- define "voice-exporter.config" -}}
{{- $files := include "voice-exporter.files" . | fromYaml -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.secrets.livekit.url -}}
{{- $_ := unset ($config.livekit | default dict) "url" -}}
{{- end -}}
{{- mergeOverwrite $config $files | toYaml -}}
{{- end -}}

{{/* Refuse values that would install something that does not work, or that shows a secret. */}}
{{- define "voice-exporter.check" -}}
{{- $livekit := .Values.config.livekit | default dict -}}
{{- $web := .Values.config.web | default dict -}}
{{- if not .Values.secrets.livekit.name -}}
{{- fail "secrets.livekit.name: is not set; expected the name of a Secret with API key and secret" -}}
{{- end -}}
{{- if not (or $livekit.url .Values.secrets.livekit.url) -}}
{{- fail "config.livekit.url: is not set; expected the URL of the LiveKit server, or its key in secrets.livekit.url" -}}
{{- end -}}
{{- if $web.listen_address -}}
{{- fail "config.web.listen_address: is set by the chart; expected service.port for another port" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not (and .Values.config.group .Values.secrets.redis.name)) -}}
{{- fail (printf "replicas: %d exporters would each call every agent; expected config.group and secrets.redis.name, or 1" (int .Values.replicas)) -}}
{{- end -}}
{{- include "voice-exporter.secretless" (dict "at" "config" "value" .Values.config) -}}
{{- end -}}

{{/* Refuse a secret in the configuration, which everyone who may read ConfigMaps can read. */}}
{{- define "voice-exporter.secretless" -}}
{{- $at := .at -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- $place := printf "%s.%s" $at $key -}}
{{- $named := has $key (list "api_key" "api_secret" "token") -}}
{{- if and $named (kindIs "string" $value) (ne $value "") (not (regexMatch "^\\$\\{\\w+\\}$" $value)) -}}
{{- fail (printf "%s: is a secret in a ConfigMap; expected a Secret in `secrets`, or ${NAME} and that variable in `env`" $place) -}}
{{- end -}}
{{- include "voice-exporter.secretless" (dict "at" $place "value" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $value := .value -}}
{{- include "voice-exporter.secretless" (dict "at" (printf "%s[%d]" $at $index) "value" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
