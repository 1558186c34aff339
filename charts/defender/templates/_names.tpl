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

{{- /* All of the backend's addresses: the first is preferred. A JSON list. */}}
{{- define "defender.backendUrls" -}}
{{- prepend .Values.publisherDs.backend.fallbackUrls (include "defender.backendUrl" .) | toJson -}}
{{- end }}

{{- /* The port in a URL: (dict "url" URL "default" "443") */}}
{{- define "defender.port" -}}
{{- regexFind ":[0-9]+$" (urlParse .url).host | trimPrefix ":" | default .default -}}
{{- end }}

{{- /* "true" where the publishers have a backend; else receivers of OTLP are all they have. */}}
{{- define "defender.hasBackend" -}}
{{- if or .Values.backend.enabled .Values.publisherDs.backend.url (not .Values.publisherDs.otlp) }}true{{ end -}}
{{- end }}

{{- define "defender.backendUrl" -}}
{{- if not (include "defender.hasBackend" .) -}}
{{- else if .Values.publisherDs.backend.url -}}
{{- .Values.publisherDs.backend.url -}}
{{- else -}}
{{- printf "https://%s-backend.%s.svc:%v" (include "defender.fullname" .) .Release.Namespace .Values.backend.ingest.service.port -}}
{{- end -}}
{{- end }}

{{- /* Whether API servers send their audit events here: `true` or nothing. */}}
{{- define "defender.takesAudit" -}}
{{- if and .Values.collectorMisc.enabled .Values.collectorMisc.audit.enabled }}true{{ end -}}
{{- end }}

{{- /* The Secret of the audit receiver's certificate, and of the authority of API servers. */}}
{{- define "defender.auditTlsSecret" -}}
{{- .Values.collectorMisc.audit.tlsSecret | default (printf "%s-audit-tls" (include "defender.fullname" .)) -}}
{{- end }}

{{- /* The names of the audit receiver's certificate, a JSON list. */}}
{{- define "defender.auditDnsNames" -}}
{{- $service := printf "%s-audit" (include "defender.fullname" .) }}
{{- list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) (printf "%s.%s.svc.cluster.local" $service .Release.Namespace) | toJson }}
{{- end }}
