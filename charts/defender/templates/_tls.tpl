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
"believed" are further authorities, PEM, that its holder believes.
(dict "root" $ "secret" NAME "authority" CA "names" LIST "addresses" LIST "purpose" FINGERPRINT "believed" PEM)
*/}}
{{- define "defender.leafData" -}}
{{- $stored := lookup "v1" "Secret" .root.Release.Namespace .secret }}
{{- $annotations := ($stored.metadata | default dict).annotations | default dict }}
{{- $data := $stored.data | default dict }}
{{- $authorities := .authority.Cert }}
{{- with trim (.believed | default "") }}
  {{- $authorities = printf "%s\n%s\n" (trim $authorities) . }}
{{- end }}
{{- $isIssued := hasPrefix (trim .authority.Cert) (get $data "ca.crt" | b64dec) }}
{{- if and (eq (get $annotations "defender/issued-for") .purpose) $isIssued }}
{{- dict "ca.crt" ($authorities | b64enc) "tls.crt" (get $data "tls.crt") "tls.key" (get $data "tls.key") | toYaml }}
{{- else }}
{{- $validity := int .root.Values.tls.generated.validityDays }}
{{- $leaf := genSignedCertWithKey .commonName .addresses .names $validity .authority (genPrivateKey "ecdsa") }}
{{- dict "ca.crt" ($authorities | b64enc) "tls.crt" ($leaf.Cert | b64enc) "tls.key" ($leaf.Key | b64enc) | toYaml }}
{{- end }}
{{- end }}
