{{/* What is watched, each once, as JSON: [{group, plural, namespaced}]. */}}
{{- define "kubetally.watched" -}}
{{- $known := .Files.Get "files/resources.yaml" | fromYaml -}}
{{- $named := .Values.settings.watch.resources -}}
{{- $detailed := (.Values.settings.detail | default dict).resources | default list -}}
{{- $all := has "all" $detailed -}}
{{- range $name, $resource := $known -}}
{{- if and $resource.detail (or $all (has $name $detailed)) -}}
{{- $named = append $named $name -}}
{{- end -}}
{{- end -}}
{{- $watched := list -}}
{{- range $named -}}
{{- $parts := splitList "/" . -}}
{{- $plural := last $parts -}}
{{- $resource := get $known $plural | default dict -}}
{{- $group := ternary (first $parts) "" (eq (len $parts) 3) -}}
{{- if and (eq (len $parts) 1) (not $resource) -}}
{{- fail (printf "settings.watch.resources: there is no %s; another resource is GROUP/VERSION/RESOURCE" .) -}}
{{- else if eq (len $parts) 1 -}}
{{- $group = $resource.group -}}
{{- end -}}
{{- $same := and (not (empty $resource)) (eq $group ($resource.group | default "")) -}}
{{- $namespaced := ternary $resource.namespaced true $same -}}
{{- $watched = append $watched (dict "group" $group "plural" $plural "namespaced" $namespaced) -}}
{{- end -}}
{{- $watched | uniq | toJson -}}
{{- end -}}

{{/* The rules by which a list of them may be listed and watched: one a group. */}}
{{- define "kubetally.rules" -}}
{{- $groups := list -}}
{{- $plurals := dict -}}
{{- range . -}}
{{- $groups = append $groups .group | uniq -}}
{{- $_ := set $plurals .group (append (get $plurals .group | default list) .plural) -}}
{{- end -}}
{{- range $groups }}
- apiGroups: [{{ . | quote }}]
  resources: {{ get $plurals . | toJson }}
  verbs: [list, watch]
{{- end -}}
{{- end -}}

{{/* The rules of the canary's Lease. RBAC knows no name where something is created. */}}
{{- define "kubetally.canaryRules" }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ .lease | default "kubetally-canary" | quote }}]
  verbs: [patch, watch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end -}}

{{/* Whether the cluster is asked who may scrape: something or nothing. */}}
{{- define "kubetally.asks" -}}
{{- if and .Values.tls.enabled (eq .Values.tls.authorization "cluster") -}}
yes
{{- end -}}
{{- end -}}

{{/* A role with these rules and its binding: name, namespace (none for all of them), rules, root. */}}
{{- define "kubetally.role" -}}
{{- $kind := ternary "Role" "ClusterRole" (ne .namespace "") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ include "kubetally.name" .root }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kubetally.labels" .root | nindent 4 }}
rules:
  {{- .rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ include "kubetally.name" .root }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kubetally.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ include "kubetally.name" .root }}
subjects:
  - kind: ServiceAccount
    name: {{ include "kubetally.serviceAccount" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
