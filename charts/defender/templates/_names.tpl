{{- define "defender.fullname" -}}
{{- .Values.fullnameOverride | default "defender" -}}
{{- end }}

{{- /* The name of a workload: (dict "root" $ "component" "collector-ds") */}}
{{- define "defender.name" -}}
{{- printf "%s-%s" (include "defender.fullname" .root) .component -}}
{{- end }}

{{- define "defender.selectorLabels" -}}
app.kubernetes.io/name: {{ include "defender.fullname" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "defender.labels" -}}
{{ include "defender.selectorLabels" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: defender
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- /* (dict "root" $ "component" "collector-ds" "values" .Values.collectorDs) */}}
{{- define "defender.image" -}}
{{- $repository := printf "%s/%s" (trimSuffix "/" .root.Values.image.registry) .component -}}
{{- if .values.image.digest -}}
{{- printf "%s@%s" $repository .values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "defender.tokenSecret" -}}
{{- .Values.backend.api.tokenSecret | default (printf "%s-api-token" (include "defender.fullname" .)) -}}
{{- end }}

{{- define "defender.backendTlsSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" -}}
{{- .Values.tls.existingSecret.backend -}}
{{- else -}}
{{- printf "%s-backend-tls" (include "defender.fullname" .) -}}
{{- end -}}
{{- end }}

{{- define "defender.publisherTlsSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" -}}
{{- .Values.tls.existingSecret.publisher -}}
{{- else -}}
{{- printf "%s-publisher-tls" (include "defender.fullname" .) -}}
{{- end -}}
{{- end }}

{{- define "defender.backendUrl" -}}
{{- if .Values.publisherDs.backend.url -}}
{{- .Values.publisherDs.backend.url -}}
{{- else -}}
{{- printf "https://%s-backend.%s.svc:%v" (include "defender.fullname" .) .Release.Namespace .Values.backend.ingest.service.port -}}
{{- end -}}
{{- end }}
