{{- /* Names and labels that several templates share. */ -}}

{{- define "tributary.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}-operator
{{- end }}

{{- /* Cluster-wide objects carry the namespace too, so that two releases of one name do not meet. */ -}}
{{- define "tributary.clusterName" -}}
{{ include "tributary.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{- define "tributary.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "tributary.name" .) }}
{{- end }}

{{- define "tributary.selector" -}}
app.kubernetes.io/name: tributary
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- /* managed-by is not `tributary-operator` here: that is what the operator's own children carry. */ -}}
{{- define "tributary.labels" -}}
{{ include "tributary.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tributary.image.operator" -}}
{{ .Values.image.operator | default (printf "tributary/operator:%s" .Chart.AppVersion) }}
{{- end }}

{{- define "tributary.image.replicator" -}}
{{ .Values.image.replicator | default (printf "tributary/replicator:%s" .Chart.AppVersion) }}
{{- end }}
