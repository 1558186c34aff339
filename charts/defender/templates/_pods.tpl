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

{{- /* Replicas on one node end together with it; where there is one node alone they run there all the same. */}}
{{- define "defender.collectorMisc.apart" -}}
preferredDuringSchedulingIgnoredDuringExecution:
  - weight: 100
    podAffinityTerm:
      topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels: {{- include "defender.selectorLabels" (dict "root" . "component" "collector-misc") | nindent 10 }}
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

{{- /* Where rules, suppressions and threat intelligence of yours are: a restart is not needed when they change. */}}
{{- define "defender.ruleMounts" -}}
{{- if .Values.rules.custom }}
- { name: custom-rules, mountPath: /etc/defender/custom-rules, readOnly: true }
{{- end }}
{{- if .Values.suppressions }}
- { name: suppressions, mountPath: /etc/defender/suppressions, readOnly: true }
{{- end }}
{{- if or .Values.threatIntelligence.files .Values.threatIntelligence.configMaps }}
- { name: threat-intelligence, mountPath: /etc/defender/threat-intelligence, readOnly: true }
{{- end }}
{{- end }}

{{- define "defender.ruleVolumes" -}}
{{- if .Values.rules.custom }}
- name: custom-rules
  configMap: { name: {{ include "defender.fullname" . }}-custom-rules }
{{- end }}
{{- if .Values.suppressions }}
- name: suppressions
  configMap: { name: {{ include "defender.fullname" . }}-suppressions }
{{- end }}
{{- if or .Values.threatIntelligence.files .Values.threatIntelligence.configMaps }}
- name: threat-intelligence
  projected:
    sources:
      {{- if .Values.threatIntelligence.files }}
      - configMap: { name: {{ include "defender.fullname" . }}-threat-intelligence }
      {{- end }}
      {{- range .Values.threatIntelligence.configMaps }}
      - configMap: { name: {{ . }}, optional: true }
      {{- end }}
{{- end }}
{{- end }}

{{- /* Where they are in the pod, as keys of the configuration. */}}
{{- define "defender.ruleConfig" -}}
{{- $paths := list "/etc/defender/rules" }}
{{- if .Values.rules.custom }}{{ $paths = append $paths "/etc/defender/custom-rules" }}{{ end }}
{{- $intelligence := list }}
{{- if or .Values.threatIntelligence.files .Values.threatIntelligence.configMaps }}
{{- $intelligence = list "/etc/defender/threat-intelligence" }}
{{- end }}
{{- dict
  "rules" (dict "paths" $paths)
  "suppressions" (dict "paths" (ternary (list "/etc/defender/suppressions") list (not (empty .Values.suppressions))))
  "threat_intelligence" (dict "paths" $intelligence) | toYaml }}
{{- end }}
