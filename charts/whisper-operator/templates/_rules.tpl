{{/*
What the operator may do where its transcribers are. No wildcard, no pods/exec, and Secrets only by name: it can
neither list nor watch them, so it sees the ones that a transcriber names and the ones that it made itself.
Server-side apply needs `patch`, and `create` where the object is new.
*/}}
{{- define "whisper-operator.rules" -}}
- apiGroups: [whisper-operator.dev]
  resources: [whispertranscribers]
  verbs: [get, list, watch, patch]
- apiGroups: [whisper-operator.dev]
  # `delete` is for ttlSecondsAfterFinished.
  resources: [transcriptionjobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [whisper-operator.dev]
  resources: [whispertranscribers/status, transcriptionjobs/status]
  verbs: [get, patch]
- apiGroups: [whisper-operator.dev]
  # An owner reference that blocks its owner's deletion asks for this where OwnerReferencesPermissionEnforcement is on.
  resources: [whispertranscribers/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies, ingresses]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  # Of these and the next the CRDs need not be there.
  resources: [servicemonitors, podmonitors]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [cert-manager.io]
  resources: [certificates, issuers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects, triggerauthentications]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  # The StatefulSets make the claims, and say with deletionPolicy what becomes of them. The operator only grows them, and
  # makes the model cache. It deletes none.
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
- apiGroups: [""]
  # `patch` is for the deletion cost: of autoscaled workers the idle ones go first.
  resources: [pods]
  verbs: [get, list, watch, patch]
- apiGroups: [events.k8s.io]
  # `list`: why a workload has no pods, or a claim no volume, is said in Events only.
  resources: [events]
  verbs: [list, create]
{{- end }}
