{{- define "podfit.selector" -}}
app.kubernetes.io/name: podfit
{{- end }}

{{- define "podfit.labels" -}}
{{ include "podfit.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* Labels of the user's own come beside ours, not instead. */}}
{{- define "podfit.labelsWith" -}}
{{ merge (include "podfit.labels" (index . 0) | fromYaml) (index . 1) | toYaml }}
{{- end }}

{{/* The one list for both webhook configurations and all policies. podfit's own namespace is always in it: its Pods would wait for themselves. */}}
{{- define "podfit.excludedNamespaces" -}}
{{ append .Values.excludedNamespaces .Release.Namespace | uniq | toJson }}
{{- end }}

{{- define "podfit.namespaceSelector" -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ include "podfit.excludedNamespaces" . }}
  - key: podfit.dev/ignore
    operator: NotIn
    values: ["true"]
{{- end }}

{{- define "podfit.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}:{{ $tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "podfit.isSelfManaged" -}}
{{ if eq .Values.certificates.source "self-managed" }}true{{ end }}
{{- end }}

{{- define "podfit.followsCluster" -}}
{{ if or .Values.policies.fromCluster .Values.policies.watchNamespaces }}true{{ end }}
{{- end }}

{{/* Whether podfit asks the API server for anything. */}}
{{- define "podfit.callsCluster" -}}
{{ if or (include "podfit.isSelfManaged" .) (include "podfit.followsCluster" .) }}true{{ end }}
{{- end }}

{{/* Whether the ConfigMap holds a policy. */}}
{{- define "podfit.hasFiles" -}}
{{- with .Values.policies }}
{{- if or (ne .preset "none") .httpServices .extra }}true{{ end }}
{{- end }}
{{- end }}

{{/* The kubernetes.io/tls Secret that is mounted; empty where podfit keeps its own. */}}
{{- define "podfit.tlsSecret" -}}
{{- if eq .Values.certificates.source "cert-manager" -}}
podfit-tls
{{- else if eq .Values.certificates.source "secret" -}}
{{ required "certificates.secret.name: name the kubernetes.io/tls Secret, or choose another certificates.source" .Values.certificates.secret.name }}
{{- end }}
{{- end }}

{{- define "podfit.injectCa" -}}
{{- if eq .Values.certificates.source "cert-manager" -}}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/podfit
{{- end }}
{{- end }}

{{/* Without caBundle where podfit or cert-manager fills it in: an apply then leaves theirs alone. */}}
{{- define "podfit.clientConfig" -}}
{{- $root := index . 0 -}}
service:
  namespace: {{ $root.Release.Namespace }}
  name: podfit
  port: 443
  path: {{ index . 1 }}
{{- with $root.Values.certificates }}
{{- if eq .source "secret" }}
caBundle: {{ required "certificates.secret.caBundle: give the PEM of the CA, by --set-file for example" .secret.caBundle | b64enc }}
{{- end }}
{{- end }}
{{- end }}

{{- define "podfit.priorityClassName" -}}
{{ if .Values.priorityClass.create }}podfit{{ else }}{{ .Values.priorityClass.name }}{{ end }}
{{- end }}

{{- define "podfit.noMirror" -}}
- name: no-mirror-of-a-static-pod
  expression: >-
    !("system:nodes" in request.userInfo.?groups.orValue([])
    && "kubernetes.io/config.mirror" in object.?metadata.?annotations.orValue({}))
{{- end }}
