{{- define "birthday-api.image" -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "birthday-api.labels" -}}
app.kubernetes.io/name: birthday-api
app.kubernetes.io/part-of: birthday-api
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Nothing that changes with the chart's version: a pod template that differs is a rollout. */}}
{{- define "birthday-api.podLabels" -}}
app.kubernetes.io/name: birthday-api
app.kubernetes.io/part-of: birthday-api
{{- end }}

{{/* What all pods that serve have in common, stable and canary: Flagger changes `name` on the stable ones. */}}
{{- define "birthday-api.server" -}}
app.kubernetes.io/part-of: birthday-api
app.kubernetes.io/component: server
{{- end }}

{{- define "birthday-api.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "birthday-api.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Settings that serve and migrate read alike. */}}
{{- define "birthday-api.databaseEnvironment" -}}
{{- $db := .Values.database -}}
{{- $query := "sslmode=verify-full&sslrootcert=/etc/birthday-api/rds-ca.pem" -}}
{{- $url := printf "postgres://birthday@%s:%d/%s?%s" $db.host (int $db.port) $db.name $query -}}
{{- $table := printf "url=%q,credentials=\"/etc/birthday-api/database\",max_connections=%d,connect_timeout=%d,query_timeout=%d" $url (int $db.maxConnections) (int $db.connectTimeout) (int $db.queryTimeout) -}}
{{- if $db.replicaHost -}}
{{- $table = printf "%s,replica_url=%q" $table (printf "postgres://birthday@%s:%d/%s?%s" $db.replicaHost (int $db.port) $db.name $query) -}}
{{- end -}}
- name: ROCKET_DATABASES
  value: {{ printf "{birthdays={%s}}" $table | squote }}
- name: ROCKET_TELEMETRY
  value: {{ printf "{format=\"json\",access_log=%t}" .Values.settings.accessLog | squote }}
{{- end }}

{{/* One volume, so that the certificate authorities and the credentials lie under one path and
     change in one step. Takes (dict "secret" NAME "ca" NAME). */}}
{{- define "birthday-api.configVolume" -}}
name: config
projected:
  defaultMode: 0440
  sources:
    - configMap:
        name: {{ .ca }}
        items: [{key: rds-ca.pem, path: rds-ca.pem}]
    - secret:
        name: {{ .secret }}
        items:
          - {key: username, path: database/username}
          - {key: password, path: database/password}
{{- end }}

{{/* What proxies do with connections to the service; the numbers are explained in the README. No `tls`:
     the mesh turns mTLS on by itself, and STRICT refuses anything else. */}}
{{- define "birthday-api.trafficPolicy" -}}
{{- with .Values.traffic -}}
connectionPool:
  tcp:
    maxConnections: {{ .connections.max }}
    connectTimeout: {{ .connections.connectTimeout }}
  http:
    http1MaxPendingRequests: {{ .connections.maxPending }}
    http2MaxRequests: {{ .connections.maxRequests }}
    idleTimeout: {{ .connections.idleTimeout }}
    maxRetries: 16
outlierDetection:
  # a 503 that the service answers while the database is away must not eject pods
  splitExternalLocalOriginErrors: true
  consecutiveLocalOriginFailures: {{ .outlierDetection.consecutiveLocalOriginFailures }}
  consecutive5xxErrors: 0
  consecutiveGatewayErrors: 0
  interval: {{ .outlierDetection.interval }}
  baseEjectionTime: {{ .outlierDetection.baseEjectionTime }}
  maxEjectionPercent: {{ .outlierDetection.maxEjectionPercent }}
{{- end }}
{{- end }}

{{/* How a request to the service is tried: the fields that VirtualService and Canary share. */}}
{{- define "birthday-api.route" -}}
timeout: {{ .Values.traffic.timeout }}
retries: {{- toYaml .Values.traffic.retries | nindent 2 }}
{{- end }}
