"""The Helm chart, as Helm renders it and Kubernetes' schemas read it."""
