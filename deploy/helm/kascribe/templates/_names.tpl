{{/* Names, labels and images. Those that need a role take a dictionary of root and role. */}}

{{- define "kascribe.name" -}}
{{- if contains "kascribe" .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-kascribe" (.Release.Name | trunc 31 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{- define "kascribe.roleName" -}}
{{ include "kascribe.name" .root }}-{{ .role }}
{{- end -}}

{{- define "kascribe.selectorLabels" -}}
app.kubernetes.io/name: kascribe
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "kascribe.labels" -}}
{{ include "kascribe.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "kascribe.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else -}}
{{ ternary (include "kascribe.name" .) "default" .Values.serviceAccount.create }}
{{- end -}}
{{- end -}}

{{/* The reconciler runs from the enricher's image: any role's has what it needs, and this one is small. */}}
{{- define "kascribe.image" -}}
{{- $image := .root.Values.image -}}
{{- $of := ternary "enricher" .role (eq .role "reconciler") -}}
{{- $name := printf "%s/kascribe-%s" (trimSuffix "/" $image.registry) $of -}}
{{- $digest := get $image.digests $of -}}
{{- if $digest -}}
{{ $name }}@{{ $digest }}
{{- else -}}
{{ $name }}:{{ default .root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* The roles that are enabled, as a list in JSON. */}}
{{- define "kascribe.enabledRoles" -}}
{{- $enabled := list -}}
{{- range $role := list "transcriber" "enricher" "gateway" "archive" "notifier" "reconciler" -}}
{{- if (get $.Values $role).enabled -}}{{- $enabled = append $enabled $role -}}{{- end -}}
{{- end -}}
{{ toJson $enabled }}
{{- end -}}

{{/* Whether a role is a CronJob: "true", or empty. */}}
{{- define "kascribe.isCronJob" -}}
{{- if and (eq .role "reconciler") .root.Values.reconciler.schedule }}true{{ end -}}
{{- end -}}

{{/* Whether KEDA decides on a role's replicas: "true", or empty. */}}
{{- define "kascribe.isScaled" -}}
{{- $autoscaling := default dict (get .root.Values .role).autoscaling -}}
{{- if $autoscaling.enabled }}true{{ end -}}
{{- end -}}
