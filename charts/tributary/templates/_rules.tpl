{{- /*
What the operator may do in the namespaces that it watches. Server-side apply is `patch`, and `create` where there is nothing yet.
Kubernetes lets nobody grant what he does not hold, so the operator holds what the Roles that it makes grant.
*/ -}}
{{- define "tributary.rules" }}
  # The resources that it looks after; patch sets and removes their finalizer. It never creates or deletes one.
  - apiGroups: [tributary.dev]
    resources: [cdcreplications]
    verbs: [get, list, watch, patch]
  # Its own part of the status. get and patch are also what each replicator's Role grants for its one resource.
  - apiGroups: [tributary.dev]
    resources: [cdcreplications/status]
    verbs: [get, patch]
  # Children name their resource as controller and block its deletion, which some clusters (OpenShift) only allow to those who
  # may set the resource's finalizers.
  - apiGroups: [tributary.dev]
    resources: [cdcreplications/finalizers]
    verbs: [update]
  # Kafka, Kafka Connect and the connector, which Strimzi runs; their status says how that goes.
  - apiGroups: [kafka.strimzi.io]
    resources: [kafkas, kafkanodepools, kafkatopics, kafkausers, kafkaconnects, kafkaconnectors]
    verbs: [get, list, watch, create, patch, delete]
  # The StatefulSet that makes the replicator's pods.
  - apiGroups: [apps]
    resources: [statefulsets]
    verbs: [get, list, watch, create, patch, delete]
  # Looks at those pods, to say in the status why one does not start. It touches none.
  - apiGroups: [""]
    resources: [pods]
    verbs: [list, watch]
  # The replicator's document, its headless Service and its identity.
  - apiGroups: [""]
    resources: [configmaps, services, serviceaccounts]
    verbs: [get, list, watch, create, patch, delete]
  # Reads the Secrets that resources name, one by one: for preflight, and to notice that one was rotated. It cannot list them.
  # get is also what the Role of a connector grants for the connector's own Secrets.
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get]
  # Lets each replicator patch the status of its resource, and each connector read its Secrets. Without `escalate` and `bind`
  # these Roles can grant nothing that is not in this list.
  - apiGroups: [rbac.authorization.k8s.io]
    resources: [roles, rolebindings]
    verbs: [get, list, watch, create, patch, delete]
  # One budget for each replicator, so that a drain takes its pods one after the other.
  - apiGroups: [policy]
    resources: [poddisruptionbudgets]
    verbs: [get, list, watch, create, patch, delete]
  # Scraping of the replicators, where the Prometheus operator is installed.
  - apiGroups: [monitoring.coreos.com]
    resources: [podmonitors]
    verbs: [get, list, watch, create, patch, delete]
  # Says what changed, beside the resource; patch counts repetitions.
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
{{- end }}
