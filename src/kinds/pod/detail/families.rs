//! The families, in the order of the exposition.

use crate::exposition::detail::families;

families! {
    /// The families of a pod.
    pub enum Series {
        CompletionTime = "kube_pod_completion_time", gauge, Stable,
            "When the last of the pod's terminated containers ended, in seconds since 1970.";
        ContainerInfo = "kube_pod_container_info", gauge, Stable,
            "Images and id of a container, 1.";
        ContainerLimits = "kube_pod_container_resource_limits", gauge, Stable,
            "How much of a resource a container may use, in the unit that is a label.";
        ContainerRequests = "kube_pod_container_resource_requests", gauge, Stable,
            "How much of a resource a container asks for, in the unit that is a label.";
        ContainerStarted = "kube_pod_container_state_started", gauge, Stable,
            "When a container that runs or has ended was started, in seconds since 1970.";
        ContainerLastTerminatedReason = "kube_pod_container_status_last_terminated_reason", gauge, Experimental,
            "Why a container ended the time before, 1.";
        ContainerLastTerminatedExitcode = "kube_pod_container_status_last_terminated_exitcode", gauge, Experimental,
            "The exit code of a container when it ended the time before.";
        ContainerLastTerminatedTimestamp = "kube_pod_container_status_last_terminated_timestamp", gauge, Experimental,
            "When a container ended the time before, in seconds since 1970.";
        ContainerReady = "kube_pod_container_status_ready", gauge, Stable,
            "Whether a container is ready.";
        ContainerRestarts = "kube_pod_container_status_restarts_total", counter, Stable,
            "How often a container was started again.";
        ContainerRunning = "kube_pod_container_status_running", gauge, Stable,
            "Whether a container runs.";
        ContainerTerminated = "kube_pod_container_status_terminated", gauge, Stable,
            "Whether a container has ended.";
        ContainerTerminatedReason = "kube_pod_container_status_terminated_reason", gauge, Experimental,
            "Why a container has ended, 1.";
        ContainerWaiting = "kube_pod_container_status_waiting", gauge, Stable,
            "Whether a container waits to be started.";
        ContainerWaitingReason = "kube_pod_container_status_waiting_reason", gauge, Stable,
            "Why a container waits to be started, 1.";
        Created = "kube_pod_created", gauge, Stable,
            "When the pod was created, in seconds since 1970.";
        DeletionTimestamp = "kube_pod_deletion_timestamp", gauge, Experimental,
            "When the pod is to be gone, once its deletion was asked for, in seconds since 1970.";
        Info = "kube_pod_info", gauge, Stable,
            "Where the pod is and what manages it, 1.";
        Ips = "kube_pod_ips", gauge, Experimental,
            "An IP address of the pod, 1.";
        InitInfo = "kube_pod_init_container_info", gauge, Stable,
            "Images, id and restart policy of an init container, 1.";
        InitLimits = "kube_pod_init_container_resource_limits", gauge, Experimental,
            "How much of a resource an init container may use, in the unit that is a label.";
        InitRequests = "kube_pod_init_container_resource_requests", gauge, Experimental,
            "How much of a resource an init container asks for, in the unit that is a label.";
        InitLastTerminatedReason = "kube_pod_init_container_status_last_terminated_reason", gauge, Experimental,
            "Why an init container ended the time before, 1.";
        InitReady = "kube_pod_init_container_status_ready", gauge, Stable,
            "Whether an init container is ready.";
        InitRestarts = "kube_pod_init_container_status_restarts_total", counter, Stable,
            "How often an init container was started again.";
        InitRunning = "kube_pod_init_container_status_running", gauge, Stable,
            "Whether an init container runs.";
        InitTerminated = "kube_pod_init_container_status_terminated", gauge, Stable,
            "Whether an init container has ended.";
        InitTerminatedReason = "kube_pod_init_container_status_terminated_reason", gauge, Experimental,
            "Why an init container has ended, 1.";
        InitWaiting = "kube_pod_init_container_status_waiting", gauge, Stable,
            "Whether an init container waits to be started.";
        InitWaitingReason = "kube_pod_init_container_status_waiting_reason", gauge, Experimental,
            "Why an init container waits to be started, 1.";
        Annotations = "kube_pod_annotations", gauge, Experimental,
            "The pod's annotations that are asked for, 1.";
        Labels = "kube_pod_labels", gauge, Stable,
            "The pod's labels that are asked for, 1.";
        OverheadCpuCores = "kube_pod_overhead_cpu_cores", gauge, Experimental,
            "The CPU that running the pod takes beside its containers, in cores.";
        OverheadMemoryBytes = "kube_pod_overhead_memory_bytes", gauge, Experimental,
            "The memory that running the pod takes beside its containers, in bytes.";
        Owner = "kube_pod_owner", gauge, Stable,
            "An owner of the pod, 1; with empty labels where it has none.";
        RestartPolicy = "kube_pod_restart_policy", gauge, Stable,
            "When the pod's containers are started again, 1.";
        RuntimeclassNameInfo = "kube_pod_runtimeclass_name_info", gauge, Experimental,
            "The pod's RuntimeClass, 1.";
        ClaimInfo = "kube_pod_spec_volumes_persistentvolumeclaims_info", gauge, Stable,
            "A volume of the pod and its claim, 1.";
        ClaimReadonly = "kube_pod_spec_volumes_persistentvolumeclaims_readonly", gauge, Stable,
            "Whether a volume of the pod that has a claim is mounted read-only.";
        StartTime = "kube_pod_start_time", gauge, Stable,
            "When the kubelet took in the pod, in seconds since 1970.";
        Phase = "kube_pod_status_phase", gauge, Stable,
            "Whether the pod is in this phase.";
        QosClass = "kube_pod_status_qos_class", gauge, Experimental,
            "Whether the pod is of this quality of service class.";
        Ready = "kube_pod_status_ready", gauge, Stable,
            "Whether this is the status of the pod's Ready condition.";
        ReadyTime = "kube_pod_status_ready_time", gauge, Experimental,
            "When the pod became ready, in seconds since 1970.";
        InitializedTime = "kube_pod_status_initialized_time", gauge, Experimental,
            "When the pod's init containers had ended, in seconds since 1970.";
        ContainerReadyTime = "kube_pod_status_container_ready_time", gauge, Experimental,
            "When all of the pod's containers became ready, in seconds since 1970.";
        Reason = "kube_pod_status_reason", gauge, Experimental,
            "Whether the pod, a condition or a container's end gives this reason.";
        Scheduled = "kube_pod_status_scheduled", gauge, Stable,
            "Whether this is the status of the pod's PodScheduled condition.";
        ScheduledTime = "kube_pod_status_scheduled_time", gauge, Stable,
            "When the pod got its node, in seconds since 1970.";
        Unschedulable = "kube_pod_status_unschedulable", gauge, Stable,
            "1 where no node was found for the pod.";
        UnscheduledTime = "kube_pod_status_unscheduled_time", gauge, Experimental,
            "When it was found that no node takes the pod, in seconds since 1970.";
        Tolerations = "kube_pod_tolerations", gauge, Experimental,
            "A taint that the pod tolerates, 1.";
        NodeSelectors = "kube_pod_nodeselectors", gauge, Experimental opt_in,
            "The labels that a node needs to take the pod, 1.";
        ServiceAccount = "kube_pod_service_account", gauge, Experimental,
            "The pod's service account, 1.";
        Scheduler = "kube_pod_scheduler", gauge, Experimental,
            "Which scheduler finds the pod's node, 1.";
    }
}
