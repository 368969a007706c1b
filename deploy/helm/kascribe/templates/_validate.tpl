{{/* What the schema cannot say: values that must agree with each other. Each failure says what to do. */}}
{{- define "kascribe.validate" -}}
{{- $values := .Values -}}
{{- include "kascribe.required" (dict "value" $values.image.registry "name" "image.registry" "why" "the registry that has your images, such as registry.internal:5000/speech") -}}
{{- include "kascribe.required" (dict "value" $values.kafka.bootstrapServers "name" "kafka.bootstrapServers" "why" "your brokers, such as my-cluster-kafka-bootstrap.kafka.svc:9092") -}}
{{- include "kascribe.required" (dict "value" $values.objectStore.bucket "name" "objectStore.bucket" "why" "the bucket of recordings and results") -}}
{{- if $values.kafka.sasl.mechanism -}}
{{- if ne $values.kafka.sasl.mechanism "OAUTHBEARER" -}}
{{- include "kascribe.required" (dict "value" $values.kafka.sasl.username "name" "kafka.sasl.username" "why" "the user; with Strimzi the KafkaUser's name") -}}
{{- include "kascribe.required" (dict "value" $values.kafka.sasl.passwordSecret.name "name" "kafka.sasl.passwordSecret.name" "why" "the Secret with its password; with Strimzi the KafkaUser's name") -}}
{{- end -}}
{{- end -}}
{{- if $values.enricher.enabled -}}
{{- include "kascribe.required" (dict "value" $values.vllm.baseUrl "name" "vllm.baseUrl" "why" "the language model server, such as http://vllm.models.svc:8000; or set enricher.enabled to false") -}}
{{- end -}}
{{- if $values.archive.enabled -}}
{{- include "kascribe.required" (dict "value" $values.archive.urlSecret.name "name" "archive.urlSecret.name" "why" "a Secret with the address of a PostgreSQL database") -}}
{{- end -}}
{{- if and $values.archive.urlSecret.name $values.networkPolicy.enabled -}}
{{- include "kascribe.required" (dict "value" $values.archive.address "name" "archive.address" "why" "the database's host:port, whose port the network policy opens") -}}
{{- end -}}
{{- if $values.notifier.enabled -}}
{{- include "kascribe.required" (dict "value" (or $values.notifier.signingSecret.name $values.configFile.secretName) "name" "notifier.signingSecret.name" "why" "a Secret with the key that signs webhooks (`kascribe webhooks secret` makes one)") -}}
{{- end -}}
{{- if and $values.gateway.enabled $values.networkPolicy.enabled (not $values.networkPolicy.peers.clients) -}}
{{- fail "\n\nnetworkPolicy.peers.clients is empty, so nobody could reach the gateway: name who may, such as\n  networkPolicy: {peers: {clients: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]}}" -}}
{{- end -}}
{{- if and $values.podMonitor.enabled $values.networkPolicy.enabled (not $values.networkPolicy.peers.monitoring) -}}
{{- fail "\n\nnetworkPolicy.peers.monitoring is empty, so Prometheus could not read metrics: name it, such as\n  networkPolicy: {peers: {monitoring: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}}" -}}
{{- end -}}
{{- if $values.gateway.ingress.enabled -}}
{{- include "kascribe.required" (dict "value" $values.gateway.ingress.host "name" "gateway.ingress.host" "why" "the name under which clients reach the gateway") -}}
{{- end -}}
{{- range $role := list "transcriber" "enricher" -}}
{{- $scaling := (get $values $role).autoscaling -}}
{{- if and $scaling.enabled (eq $scaling.trigger "kafka") (eq $values.kafka.sasl.mechanism "OAUTHBEARER") -}}
{{- fail (printf "\n\n%s.autoscaling.trigger is kafka: the chart configures KEDA for SCRAM, PLAIN and certificates, not for OAUTHBEARER. Set trigger to prometheus." $role) -}}
{{- end -}}
{{- if and $scaling.enabled (eq $scaling.trigger "prometheus") -}}
{{- include "kascribe.required" (dict "value" $scaling.prometheus.serverAddress "name" (printf "%s.autoscaling.prometheus.serverAddress" $role) "why" "Prometheus, such as http://prometheus.monitoring.svc:9090; or set trigger to kafka") -}}
{{- if lt (int $scaling.minReplicas) 1 -}}{{- fail (printf "\n\n%s.autoscaling.minReplicas is 0: without a replica nobody measures the backlog in seconds. Set 1, or trigger to kafka." $role) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $secret := $values.secretSettings -}}
{{- if not (and $secret.name $secret.key) -}}{{- fail (printf "\n\nsecretSettings.%s is incomplete: give the name of a Secret and its key." $name) -}}{{- end -}}
{{- end -}}
{{- include "kascribe.validatePlaintext" . -}}
{{- include "kascribe.validateReplicas" . -}}
{{- end -}}

{{- define "kascribe.required" -}}
{{- if not .value -}}{{- fail (printf "\n\n%s is not set: name %s." .name .why) -}}{{- end -}}
{{- end -}}

{{/* A member of a consumer group without a partition is never ready, and an upgrade would wait for it. */}}
{{- define "kascribe.validateReplicas" -}}
{{- range $role := list "transcriber" "enricher" "archive" "notifier" -}}
{{- $values := get $.Values $role -}}
{{- if $values.enabled -}}
{{- $settings := fromYaml (include "kascribe.settings" (dict "root" $ "role" $role)) -}}
{{- $partitions := int (default 12 $settings.KASCRIBE_KAFKA_TOPIC_PARTITIONS) -}}
{{- $most := int $values.replicas -}}
{{- $from := printf "%s.replicas" $role -}}
{{- if include "kascribe.isScaled" (dict "root" $ "role" $role) -}}
{{- $most = int $values.autoscaling.maxReplicas -}}
{{- $from = printf "%s.autoscaling.maxReplicas" $role -}}
{{- end -}}
{{- if gt $most $partitions -}}
{{- fail (printf "\n\n%s is %d, and the topics have %d partitions: a replica without a partition has no work and is never ready. If the topics have more, say so in settings.KASCRIBE_KAFKA_TOPIC_PARTITIONS." $from $most $partitions) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
