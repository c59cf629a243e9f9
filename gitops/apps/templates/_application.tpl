{{/* metadata of an Application: (list . NAME WAVE).
     Sync waves: see gitops/README.md. */}}
{{- define "metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: argocd
labels: {environment: {{ $root.Values.bridge.environment }}}
annotations:
  argocd.argoproj.io/sync-wave: {{ index . 2 | quote }}
  notifications.argoproj.io/subscribe.on-sync-failed.alertmanager: ""
{{- end }}

{{/* A folder of this repository: (list . PATH). */}}
{{- define "source" -}}
{{- $root := index . 0 -}}
repoURL: {{ $root.Values.repository.url }}
targetRevision: {{ $root.Values.repository.revision }}
path: {{ index . 1 }}
{{- end }}

{{/* Destination and sync policy: (list . NAMESPACE OPTION...). OPTIONs are added to the common sync options. */}}
{{- define "sync" -}}
destination: {server: https://kubernetes.default.svc, namespace: {{ index . 1 }}}
revisionHistoryLimit: 10
syncPolicy:
  automated: {prune: true, selfHeal: true}
  retry:
    limit: 10
    # a revert must not wait for the ten retries of the commit that it reverts
    refresh: true
    backoff: {duration: 10s, factor: 2, maxDuration: 3m}
  syncOptions:
    - ServerSideApply=true
    # prune only after all other objects are healthy
    - PruneLast=true
    {{- range slice . 2 }}
    - {{ . }}
    {{- end }}
{{- end }}

{{/* Labels of a namespace that an Application creates: the level of the Pod Security Standard. */}}
{{- define "namespace" -}}
managedNamespaceMetadata:
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
{{- end }}

{{/* For configuration and the service: removing the file deletes the objects. Controllers have no finalizer: a file removed
     by mistake must not delete CRDs, and with them every object of those kinds. */}}
{{- define "finalizers" -}}
finalizers: [resources-finalizer.argocd.argoproj.io]
{{- end }}

{{/* Peers of a NetworkPolicy, from a comma-separated list of CIDR blocks. */}}
{{- define "blocks" -}}
{{- range splitList "," . }}
- ipBlock: {cidr: {{ trim . }}}
{{- end }}
{{- end }}
