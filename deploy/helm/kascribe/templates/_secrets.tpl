{{/* Secrets that a role reads from files, as a list in YAML of name (of the volume), secret, and keys. */}}
{{- define "kascribe.secretFiles" -}}
{{- $values := .root.Values -}}
{{- $files := list -}}
{{- with $values.kafka -}}
{{- if and .tls.enabled .tls.caSecret.name -}}
{{- $files = append $files (dict "name" "kafka-ca" "secret" .tls.caSecret.name "keys" (list .tls.caSecret.key)) -}}
{{- end -}}
{{- if and .tls.enabled .tls.clientSecret.name -}}
{{- $keys := list .tls.clientSecret.certificateKey .tls.clientSecret.keyKey -}}
{{- $files = append $files (dict "name" "kafka-client" "secret" .tls.clientSecret.name "keys" $keys) -}}
{{- end -}}
{{- if and .sasl.mechanism (ne .sasl.mechanism "OAUTHBEARER") -}}
{{- $files = append $files (dict "name" "kafka-password" "secret" .sasl.passwordSecret.name "keys" (list .sasl.passwordSecret.key)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $secret := $values.secretSettings -}}
{{- $files = append $files (dict "name" (include "kascribe.volumeOf" $name) "secret" $secret.name "keys" (list $secret.key)) -}}
{{- end -}}
{{- with $values.objectStore.caSecret -}}
{{- if .name -}}
{{- $files = append $files (dict "name" "object-store-ca" "secret" .name "keys" (list .key)) -}}
{{- end -}}
{{- end -}}
{{- with $values.configFile -}}
{{- if .secretName -}}
{{- $files = append $files (dict "name" "config" "secret" .secretName "keys" (list .key)) -}}
{{- end -}}
{{- end -}}
{{- if eq .role "enricher" -}}
{{- with $values.vllm -}}
{{- if .apiKeySecret.name -}}
{{- $files = append $files (dict "name" "vllm" "secret" .apiKeySecret.name "keys" (list .apiKeySecret.key)) -}}
{{- end -}}
{{- if .caSecret.name -}}
{{- $files = append $files (dict "name" "vllm-ca" "secret" .caSecret.name "keys" (list .caSecret.key)) -}}
{{- end -}}
{{- if .clientSecret.name -}}
{{- $keys := list .clientSecret.certificateKey .clientSecret.keyKey -}}
{{- $files = append $files (dict "name" "vllm-client" "secret" .clientSecret.name "keys" $keys) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (has .role (list "archive" "gateway")) $values.archive.urlSecret.name -}}
{{- $files = append $files (dict "name" "archive" "secret" $values.archive.urlSecret.name "keys" (list $values.archive.urlSecret.key)) -}}
{{- end -}}
{{- if and (eq .role "gateway") $values.gateway.tlsSecret -}}
{{- $files = append $files (dict "name" "gateway" "secret" $values.gateway.tlsSecret "keys" (list "tls.crt" "tls.key")) -}}
{{- end -}}
{{- if eq .role "notifier" -}}
{{- with $values.notifier -}}
{{- if .signingSecret.name -}}
{{- $files = append $files (dict "name" "webhooks" "secret" .signingSecret.name "keys" (list .signingSecret.key)) -}}
{{- end -}}
{{- if .caSecret.name -}}
{{- $files = append $files (dict "name" "webhooks-ca" "secret" .caSecret.name "keys" (list .caSecret.key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toYaml $files }}
{{- end -}}

{{/* Variables that refer to Secrets: credentials that libraries read from the environment alone. */}}
{{- define "kascribe.secretVariables" -}}
{{- $values := .root.Values -}}
{{- with $values.objectStore.credentialsSecret }}
{{- if .name }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .accessKeyIdKey }}}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .secretAccessKeyKey }}}}
{{- end }}
{{- end }}
{{- if eq .role "transcriber" }}
{{- with $values.transcriber.models.hubTokenSecret }}
{{- if .name }}
- name: HF_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
