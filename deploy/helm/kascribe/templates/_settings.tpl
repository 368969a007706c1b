{{/* The KASCRIBE_* variables of a role, as a map in YAML. */}}

{{/* A value of YAML as the text that Kascribe reads: Helm makes floating-point numbers of integers. */}}
{{- define "kascribe.text" -}}
{{- if kindIs "slice" . -}}
{{ join "," . }}
{{- else if and (kindIs "float64" .) (eq . (floor .)) -}}
{{ printf "%.0f" . }}
{{- else -}}
{{ toString . }}
{{- end -}}
{{- end -}}

{{- define "kascribe.settings" -}}
{{- $values := .root.Values -}}
{{- $role := get $values .role -}}
{{- $derived := dict "KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS" "30" "KASCRIBE_LOG_FORMAT" "json" -}}
{{- if eq .role "transcriber" -}}
{{- $_ := set $derived "KASCRIBE_WHISPER_DEVICE" (ternary "cuda" "cpu" (gt (int $role.gpu.count) 0)) -}}
{{- if $role.models.existingClaim -}}{{- $_ := set $derived "KASCRIBE_WHISPER_OFFLINE" "true" -}}{{- end -}}
{{- end -}}
{{- if eq .role "gateway" -}}
{{- $_ := set $derived "KASCRIBE_GATEWAY_ENRICHMENT" (toString $values.enricher.enabled) -}}
{{- $spool := div (mul (int64 $role.scratchGiB) 1073741824 4) 5 -}}
{{- $_ := set $derived "KASCRIBE_GATEWAY_SPOOL_LIMIT_BYTES" (toString $spool) -}}
{{- end -}}
{{- range $name, $value := merge (dict) $role.settings $values.settings -}}
{{- $_ := set $derived $name (include "kascribe.text" $value) -}}
{{- end -}}
{{- range $name, $value := fromYaml (include "kascribe.ownSettings" .) -}}
{{- $_ := set $derived $name $value -}}
{{- end -}}
{{ toYaml $derived }}
{{- end -}}

{{/* The volume of a secret setting: KASCRIBE_KAFKA_SSL_KEY_PASSWORD is in kafka-ssl-key-password-setting. */}}
{{- define "kascribe.volumeOf" -}}
{{ trimPrefix "KASCRIBE_" . | lower | replace "_" "-" }}-setting
{{- end -}}

{{/* What other values decide, and the map of settings cannot. */}}
{{- define "kascribe.ownSettings" -}}
{{- $values := .root.Values -}}
{{- if eq .role "gateway" }}
KASCRIBE_GATEWAY_HOST: {{ $values.listenHost | quote }}
KASCRIBE_GATEWAY_PORT: {{ $values.ports.gateway | quote }}
{{- if $values.gateway.tlsSecret }}
KASCRIBE_GATEWAY_TLS_CERTIFICATE_FILE: /etc/kascribe/gateway/tls.crt
KASCRIBE_GATEWAY_TLS_KEY_FILE: /etc/kascribe/gateway/tls.key
{{- end }}
{{- else }}
KASCRIBE_SERVER_HOST: {{ $values.listenHost | quote }}
KASCRIBE_SERVER_PORT: {{ $values.ports.health | quote }}
{{- end }}
{{- with $values.configFile }}
{{- if .secretName }}
KASCRIBE_CONFIG: /etc/kascribe/config/{{ .key }}
{{- end }}
{{- end }}
{{- range $name, $secret := $values.secretSettings }}
{{ $name }}_FILE: /etc/kascribe/{{ include "kascribe.volumeOf" $name }}/{{ $secret.key }}
{{- end }}
{{- include "kascribe.kafkaSettings" $values.kafka }}
KASCRIBE_S3_BUCKET: {{ $values.objectStore.bucket | quote }}
{{- with $values.objectStore.endpointUrl }}
KASCRIBE_S3_ENDPOINT_URL: {{ . | quote }}
{{- end }}
{{- with $values.objectStore.region }}
KASCRIBE_S3_REGION: {{ . | quote }}
{{- end }}
{{- if eq .role "enricher" }}
{{- include "kascribe.vllmSettings" $values.vllm }}
{{- end }}
{{- if and (has .role (list "archive" "gateway")) $values.archive.urlSecret.name }}
KASCRIBE_ARCHIVE_URL_FILE: /etc/kascribe/archive/{{ $values.archive.urlSecret.key }}
{{- end }}
{{- if eq .role "notifier" }}
{{- with $values.notifier.signingSecret }}
{{- if .name }}
KASCRIBE_WEBHOOKS_SECRET_FILE: /etc/kascribe/webhooks/{{ .key }}
{{- end }}
{{- end }}
{{- with $values.notifier.caSecret }}
{{- if .name }}
KASCRIBE_WEBHOOKS_TLS_CA_FILE: /etc/kascribe/webhooks-ca/{{ .key }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "kascribe.kafkaSettings" }}
KASCRIBE_KAFKA_BOOTSTRAP_SERVERS: {{ .bootstrapServers | quote }}
{{- $sasl := ternary "SASL_" "" (ne .sasl.mechanism "") }}
{{- if or .tls.enabled $sasl }}
KASCRIBE_KAFKA_SECURITY_PROTOCOL: {{ $sasl }}{{ ternary "SSL" "PLAINTEXT" .tls.enabled }}
{{- end }}
{{- if .tls.enabled }}
{{- if .tls.caSecret.name }}
KASCRIBE_KAFKA_SSL_CA_LOCATION: /etc/kascribe/kafka-ca/{{ .tls.caSecret.key }}
{{- end }}
{{- if .tls.clientSecret.name }}
KASCRIBE_KAFKA_SSL_CERTIFICATE_LOCATION: /etc/kascribe/kafka-client/{{ .tls.clientSecret.certificateKey }}
KASCRIBE_KAFKA_SSL_KEY_LOCATION: /etc/kascribe/kafka-client/{{ .tls.clientSecret.keyKey }}
{{- end }}
{{- end }}
{{- if $sasl }}
KASCRIBE_KAFKA_SASL_MECHANISM: {{ .sasl.mechanism | quote }}
{{- if ne .sasl.mechanism "OAUTHBEARER" }}
KASCRIBE_KAFKA_SASL_USERNAME: {{ .sasl.username | quote }}
KASCRIBE_KAFKA_SASL_PASSWORD_FILE: /etc/kascribe/kafka-password/{{ .sasl.passwordSecret.key }}
{{- end }}
{{- end }}
{{- range $name, $value := .properties }}
KASCRIBE_KAFKA_{{ $name | replace "." "_" | upper }}: {{ include "kascribe.text" $value | quote }}
{{- end }}
{{- end -}}

{{- define "kascribe.vllmSettings" }}
KASCRIBE_VLLM_BASE_URL: {{ .baseUrl | quote }}
{{- with .model }}
KASCRIBE_VLLM_MODEL: {{ . | quote }}
{{- end }}
{{- if .apiKeySecret.name }}
KASCRIBE_VLLM_API_KEY_FILE: /etc/kascribe/vllm/{{ .apiKeySecret.key }}
{{- end }}
{{- if .caSecret.name }}
KASCRIBE_VLLM_TLS_CA_FILE: /etc/kascribe/vllm-ca/{{ .caSecret.key }}
{{- end }}
{{- if .clientSecret.name }}
KASCRIBE_VLLM_TLS_CERTIFICATE_FILE: /etc/kascribe/vllm-client/{{ .clientSecret.certificateKey }}
KASCRIBE_VLLM_TLS_KEY_FILE: /etc/kascribe/vllm-client/{{ .clientSecret.keyKey }}
{{- end }}
{{- end -}}

{{/* Seconds from SIGTERM to the end of a role: gateways stop by limits of their own, 20 s in all. */}}
{{- define "kascribe.drainSeconds" -}}
{{- if eq .role "gateway" -}}
20
{{- else -}}
{{- $settings := fromYaml (include "kascribe.settings" .) -}}
{{ ceil (float64 $settings.KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS) }}
{{- end -}}
{{- end -}}
