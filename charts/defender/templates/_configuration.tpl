{{- /*
The configuration file of each binary. Defaults of the binaries are left to them; what is written
here differs in a pod, or comes from the values. `config` of the workload is merged over it.
In a pod the admin port listens on every address: the kubelet's probes and Prometheus come from outside.
*/}}
{{- define "defender.collectorDs.config" -}}
{{- $config := dict
  "host_root" "/host"
  "admin" (dict "listen" "0.0.0.0:9101")
  "publisher" (dict "socket" (include "defender.socket" .))
  "alerts" (dict
    "repeat_seconds" .Values.collectorDs.alerts.repeatSeconds
    "per_minute" .Values.collectorDs.alerts.perMinute)
  "container_runtimes" (dict
    "cri_sockets" .Values.collectorDs.containerRuntimes.criSockets
    "docker_sockets" .Values.collectorDs.containerRuntimes.dockerSockets)
  "audit" (dict
    "path" .Values.collectorDs.audit.path
    "state_directory" "/var/lib/defender/collector")
}}
{{- $config = merge $config (include "defender.ruleConfig" . | fromYaml) }}
{{- mergeOverwrite $config (deepCopy .Values.collectorDs.config) | toYaml }}
{{- end }}

{{- define "defender.collectorMisc.config" -}}
{{- /* What runs is asked as what is to run: by the same parameters, except where nothing is asked. */}}
{{- $policies := dict }}
{{- range $name, $policy := .Values.admission.policies }}
{{- with $policy.parameters }}
{{- $_ := set $policies $name (dict "parameters" .) }}
{{- end }}
{{- end }}
{{- $config := dict
  "admin" (dict "listen" "0.0.0.0:9103")
  "publisher" (dict "socket" (include "defender.socket" .))
  "kubernetes" (dict "secrets" .Values.collectorMisc.secrets)
  "assess" (dict "checks" (dict "policies" $policies "exempt_namespaces" .Values.admission.exemptNamespaces))
  "leadership" (dict
    "enabled" true
    "lease" (include "defender.name" (dict "root" . "component" "collector-misc")))
}}
{{- with .Values.collectorMisc.audit }}
{{- if .enabled }}
{{- $config = merge $config (include "defender.ruleConfig" $ | fromYaml) (dict
  "audit" (dict
    "listen" "0.0.0.0:8444"
    "certificate_file" "/etc/defender/audit-tls/tls.crt"
    "key_file" "/etc/defender/audit-tls/tls.key"
    "client_ca_file" (ternary "/etc/defender/audit-tls/ca.crt" "" .clientCertificate)
    "token_file" (ternary "/etc/defender/audit-token/token" "" (not (empty .tokenSecret)))
    "state_directory" "/var/lib/defender/collector")) }}
{{- end }}
{{- end }}
{{- mergeOverwrite $config (deepCopy .Values.collectorMisc.config) | toYaml }}
{{- end }}

{{- define "defender.publisherDs.config" -}}
{{- $backend := .Values.publisherDs.backend }}
{{- $proxy := .Values.publisherDs.proxy }}
{{- $urls := include "defender.backendUrls" . | fromJsonArray }}
{{- $config := dict
  "admin" (dict "listen" "0.0.0.0:9102")
  "listen" (dict "socket" (include "defender.socket" .) "allowed_uids" (list 0 65532))
  "spool" (dict
    "directory" "/var/lib/defender/spool"
    "maximum_bytes" .Values.publisherDs.spool.maximumBytes
    "segment_bytes" .Values.publisherDs.spool.segmentBytes)
  "backend" (dict
    "url" (ternary (first $urls) $urls (eq (len $urls) 1))
    "server_name" $backend.serverName
    "ca_file" "/etc/defender/tls/ca.crt"
    "certificate_file" (ternary "/etc/defender/tls/tls.crt" "" $backend.clientCertificate)
    "key_file" (ternary "/etc/defender/tls/tls.key" "" $backend.clientCertificate)
    "token_file" (ternary "/etc/defender/token/token" "" (not (empty $backend.tokenSecret))))
}}
{{- if $proxy.url }}
{{- $_ := set $config "proxy" (dict
    "url" $proxy.url
    "no_proxy" $proxy.noProxy
    "username_file" (ternary "/etc/defender/proxy/username" "" (not (empty $proxy.userSecret)))
    "password_file" (ternary "/etc/defender/proxy/password" "" (not (empty $proxy.userSecret)))
    "ca_file" (ternary "/etc/defender/proxy-ca/ca.crt" "" (not (empty $proxy.caConfigMap)))) }}
{{- end }}
{{- with .Values.publisherDs.otlp }}
  {{- $receivers := list }}
  {{- range . }}
    {{- $receivers = append $receivers (include "defender.otlpReceiver" (dict "root" $ "receiver" .) | fromYaml) }}
  {{- end }}
  {{- $_ := set $config "otlp" $receivers }}
{{- end }}
{{- if .Values.publisherDs.enrolment.enabled }}
{{- $config = mergeOverwrite $config (dict
  "backend" (dict "ca_file" "/etc/defender/enrolment/ca.crt")
  "enrolment" (dict
    "enabled" true
    "cluster" .Values.clusterName
    "token_file" "/etc/defender/enrolment/token"
    "directory" "/var/lib/defender/publisher")) }}
{{- $_ := unset $config.backend "certificate_file" }}
{{- $_ := unset $config.backend "key_file" }}
{{- end }}
{{- mergeOverwrite $config (deepCopy .Values.publisherDs.config) | toYaml }}
{{- end }}

{{- /* One entry of the publisher's key otlp. Its Secret is mounted in a folder of its name. */}}
{{- define "defender.otlpReceiver" -}}
{{- $files := printf "/etc/defender/otlp/%s" .receiver.name }}
{{- with .receiver }}
name: {{ .name }}
endpoint: {{ .endpoint | quote }}
protocol: {{ .protocol | default "grpc" }}
{{- if .insecure }}
insecure: true
{{- end }}
{{- if hasPrefix "https://" .endpoint }}
ca_file: {{ $files }}/ca.crt
{{- end }}
{{- if .clientCertificate }}
certificate_file: {{ $files }}/tls.crt
key_file: {{ $files }}/tls.key
{{- end }}
{{- with .serverName }}
server_name: {{ . }}
{{- end }}
{{- with .headers }}
headers:
  {{- range . }}
  - { name: {{ .name | quote }}, value_file: {{ printf "%s/%s" $files .key | quote }} }
  {{- end }}
{{- end }}
{{- with .lanes }}
lanes: {{ toJson . }}
{{- end }}
{{- with .timeoutSeconds }}
timeout_seconds: {{ . }}
{{- end }}
{{- with .compression }}
compression: {{ . }}
{{- end }}
{{- with .body }}
body: {{ . }}
{{- end }}
resource: {{ merge (dict) (.resource | default dict) (dict "k8s.cluster.name" $.root.Values.clusterName) | toJson }}
{{- end }}
{{- end }}

{{- define "defender.backend.config" -}}
{{- $config := dict
  "admin" (dict "listen" "0.0.0.0:9104")
  "ingest" (dict
    "listen" "0.0.0.0:8443"
    "certificate_file" "/etc/defender/tls/tls.crt"
    "key_file" "/etc/defender/tls/tls.key"
    "client_ca_file" "/etc/defender/tls/ca.crt"
    "tokens_file" (ternary "/etc/defender/publisher-tokens/tokens.yaml" "" (not (empty .Values.backend.ingest.tokensSecret))))
  "api" (dict
    "listen" "0.0.0.0:8080"
    "token_file" "/etc/defender/api/token"
    "certificate_file" "/etc/defender/tls/tls.crt"
    "key_file" "/etc/defender/tls/tls.key")
  "enrolment" (dict
    "enabled" .Values.backend.enrolment.enabled
    "certificate_seconds" .Values.backend.enrolment.certificateSeconds
    "existing_nodes" .Values.backend.enrolment.existingNodes)
  "store" (dict
    "directory" "/var/lib/defender/backend"
    "maximum_bytes" .Values.backend.store.maximumBytes
    "kubernetes_changes_seconds" .Values.backend.store.kubernetesChangesSeconds
    "resolved_findings_seconds" .Values.backend.store.resolvedFindingsSeconds)
}}
{{- mergeOverwrite $config (deepCopy .Values.backend.config) | toYaml }}
{{- end }}

{{- /* The folder has the same path on the node and in every pod that meets there. */}}
{{- define "defender.socket" -}}
/run/defender/publisher.sock
{{- end }}
