{{- define "tps.name" -}}
{{- printf "%s-%s" .root.Release.Name .service | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "tps.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: tps
{{ include "tps.selector" . }}
{{- end }}

{{- define "tps.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .service }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "tps.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- define "tps.natsUrl" -}}
{{- /* The official chart adds its name only to a release that does not have it in its own. */ -}}
{{- if .Values.nats.enabled }}nats://{{ .Release.Name }}{{ if not (contains "nats" .Release.Name) }}-nats{{ end }}:4222{{ else }}{{ .Values.natsUrl }}{{ end -}}
{{- end }}
