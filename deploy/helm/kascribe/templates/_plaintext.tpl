{{/* Refuses a token or password that would be sent without TLS: the role would refuse it at its start. */}}

{{/* The hosts of addresses to which a role may not send it without TLS, with commas. Takes root, role, addresses. */}}
{{- define "kascribe.untrustedHosts" -}}
{{- $settings := fromYaml (include "kascribe.settings" (dict "root" .root "role" .role)) -}}
{{- $named := get $settings "KASCRIBE_SECURITY_PLAINTEXT_HOSTS" -}}
{{- $untrusted := list -}}
{{- /* A kascribe.toml may name hosts, and cannot be read here: the role checks them. */ -}}
{{- if or $named (not .root.Values.configFile.secretName) -}}
{{- range $endpoint := fromJsonArray (include "kascribe.endpoints" (dict "addresses" (lower .addresses) "port" 80)) -}}
{{- $host := trimSuffix "." $endpoint.host -}}
{{- $isTrusted := regexMatch "^(127\\.[0-9.]+|::1|localhost|.*\\.localhost)$" $host -}}
{{- range $pattern := splitList "," (lower (default "" $named)) -}}
{{- $pattern = trim $pattern | trimSuffix "." | trimPrefix "[" | trimSuffix "]" -}}
{{- if hasPrefix "*." $pattern -}}
{{- $isTrusted = or $isTrusted (hasSuffix (trimPrefix "*" $pattern) $host) -}}
{{- else -}}
{{- $isTrusted = or $isTrusted (eq $pattern $host) -}}
{{- end -}}
{{- end -}}
{{- if not $isTrusted -}}{{- $untrusted = append $untrusted $host -}}{{- end -}}
{{- end -}}
{{- end -}}
{{ uniq $untrusted | join ", " }}
{{- end -}}

{{- define "kascribe.validatePlaintext" -}}
{{- $kafka := .Values.kafka -}}
{{- $advice := "name the hosts, if the way to them is trusted, in\n  settings: {KASCRIBE_SECURITY_PLAINTEXT_HOSTS: [%s]}" -}}
{{- if and (has $kafka.sasl.mechanism (list "PLAIN" "OAUTHBEARER")) (not $kafka.tls.enabled) -}}
{{- range $role := fromJsonArray (include "kascribe.enabledRoles" .) -}}
{{- with include "kascribe.untrustedHosts" (dict "root" $ "role" $role "addresses" $kafka.bootstrapServers) -}}
{{- fail (printf "\n\nkafka.sasl.mechanism %s without kafka.tls.enabled would send the password or token in the clear: enable TLS, use\nSCRAM-SHA-512, which does not send it, or %s" $kafka.sasl.mechanism (printf $advice .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.enricher.enabled .Values.vllm.apiKeySecret.name -}}
{{- $plain := list -}}
{{- range $address := splitList "," .Values.vllm.baseUrl -}}
{{- if hasPrefix "http://" (trim $address | lower) -}}{{- $plain = append $plain (trim $address) -}}{{- end -}}
{{- end -}}
{{- with include "kascribe.untrustedHosts" (dict "root" . "role" "enricher" "addresses" (join "," $plain)) -}}
{{- fail (printf "\n\nvllm.apiKeySecret would be sent over http, in the clear: use https in vllm.baseUrl, or %s" (printf $advice .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
