{{- /*
The configuration file of each binary. Defaults of the binaries are left to them; what is written
here differs in a pod, or comes from the values. `config` of the workload is merged over it.
In a pod the admin port listens on every address: the kubelet's probes and Prometheus come from outside.
*/}}
{{- define "defender.collectorDs.config" -}}
{{- $paths := list "/etc/defender/rules" }}
{{- if .Values.rules.custom }}{{ $paths = append $paths "/etc/defender/custom-rules" }}{{ end }}
{{- $intelligence := list }}
{{- if or .Values.threatIntelligence.files .Values.threatIntelligence.configMaps }}
{{- $intelligence = list "/etc/defender/threat-intelligence" }}
{{- end }}
{{- $config := dict
  "host_root" "/host"
  "admin" (dict "listen" "0.0.0.0:9101")
  "publisher" (dict "socket" (include "defender.socket" .))
  "rules" (dict "paths" $paths)
  "suppressions" (dict "paths" (ternary (list "/etc/defender/suppressions") list (not (empty .Values.suppressions))))
  "alerts" (dict
    "repeat_seconds" .Values.collectorDs.alerts.repeatSeconds
    "per_minute" .Values.collectorDs.alerts.perMinute)
  "threat_intelligence" (dict "paths" $intelligence)
  "container_runtimes" (dict
    "cri_sockets" .Values.collectorDs.containerRuntimes.criSockets
    "docker_sockets" .Values.collectorDs.containerRuntimes.dockerSockets)
  "audit" (dict
    "path" .Values.collectorDs.audit.path
    "state_directory" "/var/lib/defender/collector")
}}
{{- mergeOverwrite $config (deepCopy .Values.collectorDs.config) | toYaml }}
{{- end }}

{{- define "defender.collectorMisc.config" -}}
{{- $config := dict
  "admin" (dict "listen" "0.0.0.0:9103")
  "publisher" (dict "socket" (include "defender.socket" .))
}}
{{- mergeOverwrite $config (deepCopy .Values.collectorMisc.config) | toYaml }}
{{- end }}

{{- define "defender.publisherDs.config" -}}
{{- $config := dict
  "admin" (dict "listen" "0.0.0.0:9102")
  "listen" (dict "socket" (include "defender.socket" .) "allowed_uids" (list 0 65532))
  "spool" (dict
    "directory" "/var/lib/defender/spool"
    "maximum_bytes" .Values.publisherDs.spool.maximumBytes
    "segment_bytes" .Values.publisherDs.spool.segmentBytes)
  "backend" (dict
    "url" (include "defender.backendUrl" .)
    "server_name" .Values.publisherDs.backend.serverName
    "ca_file" "/etc/defender/tls/ca.crt"
    "certificate_file" "/etc/defender/tls/tls.crt"
    "key_file" "/etc/defender/tls/tls.key")
}}
{{- mergeOverwrite $config (deepCopy .Values.publisherDs.config) | toYaml }}
{{- end }}

{{- define "defender.backend.config" -}}
{{- $config := dict
  "admin" (dict "listen" "0.0.0.0:9104")
  "ingest" (dict
    "listen" "0.0.0.0:8443"
    "certificate_file" "/etc/defender/tls/tls.crt"
    "key_file" "/etc/defender/tls/tls.key"
    "client_ca_file" "/etc/defender/tls/ca.crt")
  "api" (dict
    "listen" "0.0.0.0:8080"
    "token_file" "/etc/defender/api/token"
    "certificate_file" "/etc/defender/tls/tls.crt"
    "key_file" "/etc/defender/tls/tls.key")
  "store" (dict
    "directory" "/var/lib/defender/backend"
    "maximum_bytes" .Values.backend.store.maximumBytes)
}}
{{- mergeOverwrite $config (deepCopy .Values.backend.config) | toYaml }}
{{- end }}

{{- /* The folder has the same path on the node and in every pod that meets there. */}}
{{- define "defender.socket" -}}
/run/defender/publisher.sock
{{- end }}
