{{/* Where a peer is, for a NetworkPolicy, which knows no host names. */}}

{{/* host:port pairs of addresses, as a list in JSON. `addresses` are comma-separated, with or without a scheme. */}}
{{- define "kascribe.endpoints" -}}
{{- $endpoints := list -}}
{{- range $address := splitList "," .addresses -}}
{{- $address = trim $address -}}
{{- if $address -}}
{{- $port := ternary 443 $.port (hasPrefix "https://" $address) -}}
{{- $authority := regexReplaceAll "^[a-z0-9+]+://" $address "" | regexFind "^[^/]+" -}}
{{- $host := regexReplaceAll "^.*@|:[0-9]+$" $authority "" | trimPrefix "[" | trimSuffix "]" -}}
{{- with regexFind ":[0-9]+$" $authority -}}{{- $port = trimPrefix ":" . | int -}}{{- end -}}
{{- $endpoints = append $endpoints (dict "host" $host "port" $port) -}}
{{- end -}}
{{- end -}}
{{ toJson $endpoints }}
{{- end -}}

{{/* One egress rule: root, what (the name of the peer), addresses, port (where an address has none), ports (further). */}}
{{- define "kascribe.egressTo" -}}
{{- $endpoints := fromJsonArray (include "kascribe.endpoints" .) -}}
{{- $given := get .root.Values.networkPolicy.peers .what -}}
{{- $ports := default list .ports -}}
{{- $peers := list -}}
{{- range $endpoints -}}
{{- $ports = append $ports (int .port) -}}
{{- $peers = append $peers (fromYaml (include "kascribe.peerOf" (dict "host" .host "what" $.what "isGiven" (gt (len $given) 0)))) -}}
{{- end -}}
- to:
    {{- toYaml (default (uniq $peers) $given) | nindent 4 }}
  ports:
    {{- range uniq $ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{- define "kascribe.peerOf" -}}
{{- if .isGiven -}}
{}
{{- else if regexMatch "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$" .host -}}
ipBlock: {cidr: {{ .host }}/32}
{{- else if contains ":" .host -}}
ipBlock: {cidr: "{{ .host }}/128"}
{{- else if not (contains "." .host) -}}
podSelector: {}
{{- else if regexMatch "^[^.]+(\\.[^.]+)+\\.svc(\\.|$)" .host -}}
namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ regexFind "[^.]+\\.svc(\\.|$)" .host | splitList "." | first }}}}
{{- else -}}
{{- fail (printf "\n\nnetworkPolicy.peers.%s is empty, and a NetworkPolicy knows no host names: say where %s is, such as\n  networkPolicy: {peers: {%s: [{ipBlock: {cidr: 192.0.2.0/24}}]}}\nor set networkPolicy.enabled to false." .what .host .what) -}}
{{- end -}}
{{- end -}}
