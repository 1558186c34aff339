{{- /* What the pods have in common. */}}

{{- /* Of every container but collector-ds. */}}
{{- define "defender.confinedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* Of every pod but collector-ds: (dict "seLinuxOptions" ...) */}}
{{- define "defender.nonRootPod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- with .seLinuxOptions }}
seLinuxOptions: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "defender.podAnnotations" -}}
{{- with .values.podAnnotations }}
{{- toYaml . }}
{{ end -}}
checksum/config: {{ .config | sha256sum }}
{{- end }}

{{- define "defender.podLabels" -}}
{{ include "defender.labels" . }}
{{- with .values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "defender.scheduling" -}}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /*
Probes of the admin port. The timeouts are long because the CPU limits are small: a busy sensor is
throttled, and a throttled sensor must not be killed for answering late.
*/}}
{{- define "defender.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}

{{- define "defender.nodeNameEnvironment" -}}
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- end }}

{{- /* Ingress of the admin port, for metrics; probes come from the kubelet, which policies never stop. */}}
{{- define "defender.metricsIngress" -}}
{{- $from := .root.Values.networkPolicy.metricsFrom }}
{{- if and (not $from) .root.Values.podMonitor.enabled }}{{ $from = list (dict "namespaceSelector" (dict)) }}{{ end }}
{{- if $from }}
- from: {{- toYaml $from | nindent 4 }}
  ports: [{ protocol: TCP, port: {{ .port }} }]
{{- end }}
{{- end }}
