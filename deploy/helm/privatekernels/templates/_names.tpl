{{- define "privatekernels.labels" -}}
app.kubernetes.io/name: privatekernels
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "privatekernels.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What every container here may do: nothing but compute and write to its volumes. */}}
{{- define "privatekernels.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}
