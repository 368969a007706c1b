{{/* The pod of a role: metadata and spec. */}}
{{- define "kascribe.pod" -}}
{{- $values := .root.Values -}}
{{- $role := get $values .role -}}
metadata:
  labels:
    {{- include "kascribe.labels" . | nindent 4 }}
    {{- with $role.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $role.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "kascribe.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Not as process 1: orphans of the decoder processes are reaped, and a signal ends a role that is still starting.
  shareProcessNamespace: true
  terminationGracePeriodSeconds: {{ include "kascribe.graceSeconds" . }}
  {{- if include "kascribe.isCronJob" . }}
  restartPolicy: Never
  {{- end }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  {{- if eq .role "transcriber" }}
  {{- with $role.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- end }}
  {{- with $role.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $role.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $role.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $role.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.topologySpread }}
  topologySpreadConstraints:
    {{- range . }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "kascribe.selectorLabels" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: {{ include "kascribe.image" . | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      {{- if include "kascribe.isCronJob" . }}
      args: [reconcile, --once]
      {{- else if eq .role "reconciler" }}
      args: [reconcile]
      {{- else }}
      args: [run, {{ .role }}]
      {{- end }}
      {{- include "kascribe.container" . | nindent 6 }}
  volumes:
    {{- include "kascribe.volumes" . | nindent 4 }}
{{- end -}}

{{/* Longer than the drain in any case: what is killed earlier loses nothing, and does its work again. */}}
{{- define "kascribe.graceSeconds" -}}
{{- $delay := ternary (int .root.Values.gateway.stopDelaySeconds) 0 (eq .role "gateway") -}}
{{ add $delay (int (include "kascribe.drainSeconds" .)) (int .root.Values.graceMarginSeconds) }}
{{- end -}}

{{- define "kascribe.container" -}}
{{- $values := .root.Values -}}
{{- $role := get $values .role -}}
env:
  {{- range $name, $value := fromYaml (include "kascribe.settings" .) }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- if $values.objectStore.caSecret.name }}
  - name: AWS_CA_BUNDLE
    value: /etc/kascribe/object-store-ca/{{ $values.objectStore.caSecret.key }}
  {{- end }}
  {{- range $name, $value := $values.environment }}
  - name: {{ $name }}
    value: {{ include "kascribe.text" $value | quote }}
  {{- end }}
  {{- include "kascribe.secretVariables" . | nindent 2 }}
{{- if not (include "kascribe.isCronJob" .) }}
ports:
  - name: {{ include "kascribe.portName" . }}
    containerPort: {{ include "kascribe.port" . }}
    protocol: TCP
{{ include "kascribe.probes" . }}
{{- end }}
{{- if eq .role "gateway" }}
lifecycle:
  preStop:
    exec:
      command: [sleep, {{ $values.gateway.stopDelaySeconds | quote }}]
{{- end }}
resources:
  {{- $disk := dict "ephemeral-storage" (printf "%sGi" (include "kascribe.diskGiB" .)) }}
  requests:
    {{- toYaml (merge (dict) (default dict $role.resources.requests) $disk) | nindent 4 }}
    {{- include "kascribe.gpu" . | nindent 4 }}
  limits:
    {{- toYaml (merge (dict) $role.resources.limits $disk) | nindent 4 }}
    {{- include "kascribe.gpu" . | nindent 4 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  capabilities:
    drop: [ALL]
volumeMounts:
  - {name: scratch, mountPath: /tmp}
  - {name: state, mountPath: /var/lib/kascribe}
  {{- if eq .role "transcriber" }}
  - {name: cache, mountPath: /var/cache/kascribe}
  {{- if $role.models.existingClaim }}
  - {name: models, mountPath: /var/cache/kascribe/models, readOnly: true}
  {{- end }}
  {{- end }}
  {{- range fromYamlArray (include "kascribe.secretFiles" .) }}
  - {name: {{ .name }}, mountPath: /etc/kascribe/{{ .name }}, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Files on the node's disk: the volumes of the pod, and a gibibyte for the home and the container's log. */}}
{{- define "kascribe.diskGiB" -}}
{{- $role := get .root.Values .role -}}
{{- $cache := 0 -}}
{{- if and (eq .role "transcriber") (not $role.cache.existingClaim) -}}{{- $cache = int $role.cache.sizeGiB -}}{{- end -}}
{{ add (int $role.scratchGiB) $cache 1 }}
{{- end -}}

{{- define "kascribe.gpu" -}}
{{- if eq .role "transcriber" -}}
{{- with .root.Values.transcriber.gpu -}}
{{- if gt (int .count) 0 -}}
{{ .resource }}: {{ .count | quote }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kascribe.volumes" -}}
{{- $role := get .root.Values .role -}}
- name: scratch
  emptyDir: {sizeLimit: {{ $role.scratchGiB }}Gi}
- name: state
  emptyDir: {sizeLimit: 64Mi}
{{- if eq .role "transcriber" }}
- name: cache
  {{- if $role.cache.existingClaim }}
  persistentVolumeClaim: {claimName: {{ $role.cache.existingClaim }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ $role.cache.sizeGiB }}Gi}
  {{- end }}
{{- if $role.models.existingClaim }}
- name: models
  persistentVolumeClaim: {claimName: {{ $role.models.existingClaim }}, readOnly: true}
{{- end }}
{{- end }}
{{- range fromYamlArray (include "kascribe.secretFiles" .) }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "kascribe.port" -}}
{{ ternary .root.Values.ports.gateway .root.Values.ports.health (eq .role "gateway") | int }}
{{- end -}}

{{- define "kascribe.portName" -}}
{{ ternary "http" "health" (eq .role "gateway") }}
{{- end -}}

{{/* A role serves health before it loads its model or fills its archive, and is live then. */}}
{{- define "kascribe.probes" -}}
startupProbe:
  httpGet: {{ include "kascribe.check" (dict "role" .role "root" .root "check" "live") }}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 90
livenessProbe:
  httpGet: {{ include "kascribe.check" (dict "role" .role "root" .root "check" "live") }}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {{ include "kascribe.check" (dict "role" .role "root" .root "check" "ready") }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{- define "kascribe.check" -}}
{{- $scheme := ternary "HTTPS" "HTTP" (and (eq .role "gateway") (ne .root.Values.gateway.tlsSecret "")) -}}
{path: /health/{{ .check }}, port: {{ include "kascribe.portName" . }}, scheme: {{ $scheme }}}
{{- end -}}
