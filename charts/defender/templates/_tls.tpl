{{- /* By which names and addresses the backend is reached, a JSON list each. localhost: kubectl port-forward. */}}
{{- define "defender.backendDnsNames" -}}
{{- $names := list "localhost" }}
{{- range list "backend" "console" }}
  {{- $service := printf "%s-%s" (include "defender.fullname" $) . }}
  {{- $names = concat $names (list $service (printf "%s.%s" $service $.Release.Namespace) (printf "%s.%s.svc" $service $.Release.Namespace) (printf "%s.%s.svc.cluster.local" $service $.Release.Namespace)) }}
{{- end }}
{{- concat $names .Values.tls.dnsNames | uniq | toJson }}
{{- end }}

{{- define "defender.backendIpAddresses" -}}
{{- concat (list "127.0.0.1") .Values.tls.ipAddresses | uniq | toJson }}
{{- end }}

{{- /*
A leaf certificate as the data of its Secret, signed by the authority unless the stored one still fits.
(dict "root" $ "secret" NAME "authority" CA "names" LIST "addresses" LIST "purpose" FINGERPRINT)
*/}}
{{- define "defender.leafData" -}}
{{- $stored := lookup "v1" "Secret" .root.Release.Namespace .secret }}
{{- $annotations := ($stored.metadata | default dict).annotations | default dict }}
{{- $data := $stored.data | default dict }}
{{- if and (eq (get $annotations "defender/issued-for") .purpose) (eq (get $data "ca.crt") (.authority.Cert | b64enc)) }}
{{- pick $data "ca.crt" "tls.crt" "tls.key" | toYaml }}
{{- else }}
{{- $validity := int .root.Values.tls.generated.validityDays }}
{{- $leaf := genSignedCertWithKey .commonName .addresses .names $validity .authority (genPrivateKey "ecdsa") }}
{{- dict "ca.crt" (.authority.Cert | b64enc) "tls.crt" ($leaf.Cert | b64enc) "tls.key" ($leaf.Key | b64enc) | toYaml }}
{{- end }}
{{- end }}
