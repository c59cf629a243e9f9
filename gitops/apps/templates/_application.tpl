{{/* metadata of an Application: (list . NAME WAVE).
     Waves: see the picture in gitops/README.md. */}}
{{- define "metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: argocd
labels: {environment: {{ $root.Values.bridge.environment }}}
annotations:
  argocd.argoproj.io/sync-wave: {{ index . 2 | quote }}
  notifications.argoproj.io/subscribe.on-sync-failed.alertmanager: ""
  notifications.argoproj.io/subscribe.on-health-degraded.alertmanager: ""
{{- end }}

{{/* A folder of this repository: (list . PATH). */}}
{{- define "source" -}}
{{- $root := index . 0 -}}
repoURL: {{ $root.Values.repository.url }}
targetRevision: {{ $root.Values.repository.revision }}
path: {{ index . 1 }}
{{- end }}

{{/* Where and how: (list . NAMESPACE OPTION...). Options are added to those that all have. */}}
{{- define "sync" -}}
destination: {server: https://kubernetes.default.svc, namespace: {{ index . 1 }}}
revisionHistoryLimit: 10
syncPolicy:
  automated: {prune: true, selfHeal: true}
  retry:
    limit: 10
    # a revert must not wait until the commit that it reverts has been tried ten times
    refresh: true
    backoff: {duration: 10s, factor: 2, maxDuration: 3m}
  syncOptions:
    - ServerSideApply=true
    # pruning waits until all that is new is healthy
    - PruneLast=true
    {{- range slice . 2 }}
    - {{ . }}
    {{- end }}
{{- end }}

{{/* Labels of a namespace that an Application makes: (list LEVEL), the Pod Security Standard it enforces. */}}
{{- define "namespace" -}}
managedNamespaceMetadata:
  labels:
    pod-security.kubernetes.io/enforce: {{ index . 0 }}
    pod-security.kubernetes.io/warn: restricted
{{- end }}

{{/* Removing the file of configuration or of the service removes its objects. Controllers have no finalizer: a file removed
     by mistake must not take CRDs, and with them every object of those kinds. */}}
{{- define "finalizers" -}}
finalizers: [resources-finalizer.argocd.argoproj.io]
{{- end }}

{{/* Peers of a NetworkPolicy: a comma-separated list of CIDR blocks. */}}
{{- define "blocks" -}}
{{- range splitList "," . }}
- ipBlock: {cidr: {{ trim . }}}
{{- end }}
{{- end }}
