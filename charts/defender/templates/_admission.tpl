{{- /* An action. YAML reads a bare off as false. */}}
{{- define "defender.admissionAction" -}}
{{- if kindIs "bool" . }}off{{ else }}{{ . }}{{ end -}}
{{- end }}

{{- /* A parameter's value in the expression language, which writes what JSON has as JSON does: (dict "type" "strings" "value" (list "a") "where" "admission…") */}}
{{- define "defender.admissionParameter" -}}
{{- $value := .value }}
{{- $wrong := "" }}
{{- if eq .type "boolean" }}
  {{- if not (kindIs "bool" $value) }}{{ $wrong = "true or false" }}{{ end }}
{{- else if has .type (list "integers" "strings") }}
  {{- if not (kindIs "slice" $value) }}{{ $wrong = printf "a list of %s" (ternary "whole numbers" "texts" (eq .type "integers")) }}
  {{- else }}
    {{- range $value }}
      {{- if and (eq $.type "strings") (not (kindIs "string" .)) }}{{ $wrong = "a list of texts" }}{{ end }}
      {{- if and (eq $.type "integers") (not (regexMatch "^-?[0-9]{1,15}$" (toJson .))) }}{{ $wrong = "a list of whole numbers" }}{{ end }}
    {{- end }}
  {{- end }}
{{- else if not (kindIs "string" $value) }}
  {{- $wrong = "a text" }}
{{- else if eq .type "quantity" }}
  {{- if not (regexMatch "^([0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?)?$" $value) }}{{ $wrong = "a quantity such as 500m or 8Gi, in quotes, or empty" }}{{ end }}
{{- else if eq .type "pattern" }}
  {{- /* Fails by itself where it is no expression. */}}
  {{- $_ := mustRegexMatch $value "" }}
{{- end }}
{{- if $wrong }}{{ fail (printf "%s must be %s" .where $wrong) }}{{ end }}
{{- toRawJson $value -}}
{{- end }}
