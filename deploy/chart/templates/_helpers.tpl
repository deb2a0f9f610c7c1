{{/* The name of every object. */}}
{{- define "kubetally.name" -}}
{{- $name := ternary .Release.Name (printf "%s-kubetally" .Release.Name) (contains "kubetally" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "kubetally.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "kubetally.name" .) -}}
{{- end -}}

{{/* What this release's pod is found by. */}}
{{- define "kubetally.selector" -}}
app.kubernetes.io/name: kubetally
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kubetally.labels" -}}
{{ include "kubetally.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The settings as TOML: a string, a number, a truth or a list of them is written as in JSON.
     Helm's own toToml makes 64.0 of 64. */}}
{{- define "kubetally.toml" -}}
{{- range $section, $settings := .Values.settings }}
[{{ $section }}]
{{- range $setting, $value := $settings }}
{{- if kindIs "map" $value }}
{{- range $entry, $one := $value }}
{{ $setting }}.{{ $entry | toJson }} = {{ $one | toJson }}
{{- end }}
{{- else }}
{{ $setting }} = {{ $value | toJson }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
