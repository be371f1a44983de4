{{/* Labels of a component. Call it with the component's name. */}}
{{- define "chattenant.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: chattenant
{{- end }}

{{/* Who runs in the pods: nobody in particular. */}}
{{- define "chattenant.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "chattenant.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end }}

{{/* Where a component's pods run. Call it with the component's values. */}}
{{- define "chattenant.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "chattenant.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Peers that may read metrics. */}}
{{- define "chattenant.metricsPeers" -}}
{{- range .Values.metrics.allowedNamespaces }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- end }}
