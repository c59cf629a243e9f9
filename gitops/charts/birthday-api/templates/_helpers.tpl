{{/* Empty before an environment's first release (a digest of zeros): the chart then renders nothing, and no sync waits for it. */}}
{{- define "birthday-api.released" -}}
{{- if ne .Values.image.digest (printf "sha256:%064d" 0) }}yes{{ end }}
{{- end }}

{{- define "birthday-api.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "birthday-api.labels" -}}
app.kubernetes.io/name: {{ .Release.Name }}
app.kubernetes.io/part-of: birthday-api
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* No label that changes with the chart's version: a changed pod template causes a rollout. */}}
{{- define "birthday-api.podLabels" -}}
app.kubernetes.io/name: {{ .Release.Name }}
app.kubernetes.io/part-of: birthday-api
{{- end }}

{{/* Labels that all serving pods share, stable and canary: Flagger changes `name` on the stable ones. */}}
{{- define "birthday-api.server" -}}
app.kubernetes.io/part-of: birthday-api
app.kubernetes.io/component: server
{{- end }}

{{- define "birthday-api.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "birthday-api.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* "yes" with PostgreSQL, empty with SQLite. */}}
{{- define "birthday-api.postgresql" -}}
{{- if or .Values.database.host .Values.database.url }}yes{{ end }}
{{- end }}

{{/* The URL of a PostgreSQL host: (list . HOST). */}}
{{- define "birthday-api.url" -}}
{{- with (index . 0).Values.database -}}
postgres://birthday@{{ index $ 1 }}:{{ .port }}/{{ .name }}?sslmode={{ if .certificateAuthority }}verify-full&sslrootcert=/etc/birthday-api/rds-ca.pem{{ else }}require{{ end }}
{{- end }}
{{- end }}

{{/* Settings that both serve and migrate read. */}}
{{- define "birthday-api.databaseEnvironment" -}}
{{- $db := .Values.database -}}
{{- $url := $db.url -}}
{{- if $db.host }}{{ $url = include "birthday-api.url" (list . $db.host) }}{{ end -}}
{{- $table := printf "url=%q" ($url | default "sqlite:///var/lib/birthday-api/birthdays.db") -}}
{{- if include "birthday-api.postgresql" . -}}
{{- $table = printf "%s,credentials=\"/etc/birthday-api/database\",max_connections=%d" $table (int $db.maxConnections) -}}
{{- end -}}
{{- $table = printf "%s,connect_timeout=%d,query_timeout=%d" $table (int $db.connectTimeout) (int $db.queryTimeout) -}}
{{- if $db.replicaHost -}}
{{- $table = printf "%s,replica_url=%q" $table (include "birthday-api.url" (list . $db.replicaHost)) -}}
{{- end -}}
- name: ROCKET_DATABASES
  value: {{ printf "{birthdays={%s}}" $table | squote }}
- name: ROCKET_TELEMETRY
  value: {{ printf "{format=\"json\",access_log=%t}" .Values.settings.accessLog | squote }}
{{- end }}

{{/* One volume, so that the certificate authorities and the credentials are under one path and
     change atomically. Takes (list . SECRET). */}}
{{- define "birthday-api.configVolume" -}}
name: config
projected:
  defaultMode: 0440
  sources:
    {{- with (index . 0).Values.database.certificateAuthority }}
    - configMap:
        name: {{ . }}
        items: [{key: rds-ca.pem, path: rds-ca.pem}]
    {{- end }}
    - secret:
        name: {{ index . 1 | required "database.secret: the name of a Secret with username and password" }}
        items:
          - {key: username, path: database/username}
          - {key: password, path: database/password}
{{- end }}

{{/* Timeout and retries of requests to the service: the fields that VirtualService and Canary share. */}}
{{- define "birthday-api.route" -}}
timeout: {{ .Values.istio.timeout }}
{{- with .Values.istio.retries }}
# Istio refuses retryOn without attempts
retries: {{- toYaml (ternary . (dict "attempts" 0) (gt (int .attempts) 0)) | nindent 2 }}
{{- end }}
{{- end }}
