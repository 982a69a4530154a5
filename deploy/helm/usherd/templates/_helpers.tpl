{{- define "usherd.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "usherd.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "usherd.labels" -}}
{{ include "usherd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "usherd.metrics" -}}
{{- if (dig "telemetry" "metrics" "" .Values.config) -}}yes{{- end -}}
{{- end -}}

{{- define "usherd.probe" -}}
{{- if .Values.tls.secret -}}
exec:
  command: ["usherd", "health", "localhost:{{ .Values.port }}", "--ca", "/etc/usherd/tls/ca.crt"]
{{- else -}}
grpc: {port: {{ .Values.port }}}
{{- end -}}
{{- end -}}

{{- define "usherd.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
{{- end -}}

{{- define "usherd.env" -}}
{{- range $place, $each := .Values.secretEnv }}
{{- if $place }}{{ "\n" }}{{ end -}}
- name: {{ $each.name }}
  valueFrom: {secretKeyRef: {name: {{ $each.secret | quote }}, key: {{ $each.key | quote }}}}
{{- end }}
{{- end -}}
