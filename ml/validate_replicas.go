package ml

import "slices"

// MaxReplicas is the most processes that a job may have.
const MaxReplicas = 256

// checkReplicas looks at what the replicas ask to run on. Only CUSTOM says
// that by itself; the other tiers are what the configuration makes of them.
func (in *TrainingInput) checkReplicas() error {
	replicas := 0
	for _, g := range in.Groups() {
		if err := g.check(in.ScaleTier == TierCustom); err != nil {
			return err
		}
		if replicas += g.Count; replicas > MaxReplicas {
			return FieldErrorf(g.CountField, "The job has more than %d replicas.", MaxReplicas)
		}
	}
	return nil
}

func (g ReplicaGroup) check(custom bool) error {
	if err := g.checkConfig(); err != nil {
		return err
	}
	master := g.Kind == ReplicaMaster
	accelerated := g.Config != nil && g.Config.AcceleratorConfig != nil
	switch {
	case g.Count < 0:
		return FieldErrorf(g.CountField, "The count of replicas is negative.")
	case g.Count > MaxReplicas:
		return FieldErrorf(g.CountField, "The job has more than %d replicas.", MaxReplicas)
	case !custom && !master && g.Count > 0:
		return FieldErrorf(g.CountField, "The counts of replicas can be chosen only with scaleTier CUSTOM.")
	case !custom && (g.MachineType != "" || accelerated):
		return FieldErrorf(g.TypeField, "Machines and accelerators can be chosen only with scaleTier CUSTOM.")
	case custom && g.Count > 0 && g.MachineType == "":
		return FieldErrorf(g.TypeField, "scaleTier CUSTOM needs a machine type here, such as n1-standard-4.")
	case g.MachineType == "cloud_tpu":
		return unimplementedField(g.TypeField, "There are no TPUs here; name another machine type.")
	case g.MachineType != "" && !machinePattern.MatchString(g.MachineType):
		return FieldErrorf(g.TypeField, "%q is not a machine type such as \"n1-standard-4\".", g.MachineType)
	}
	return nil
}

// checkConfig refuses what would make another program of the replica.
func (g ReplicaGroup) checkConfig() error {
	c := g.Config
	if c == nil {
		return nil
	}
	switch {
	case c.ImageURI != "":
		return unimplementedField(g.ConfigField+".imageUri", "Containers are not run here; give the trainer as a Python package in packageUris, with pythonModule and runtimeVersion.")
	case len(c.ContainerCommand) > 0:
		return unimplementedField(g.ConfigField+".containerCommand", "Containers are not run here; give the trainer as a Python package in packageUris, and the module to run in pythonModule.")
	case len(c.ContainerArgs) > 0:
		return unimplementedField(g.ConfigField+".containerArgs", "Containers are not run here; give the trainer as a Python package in packageUris, and its arguments in args.")
	case c.TPUTFVersion != "":
		return unimplementedField(g.ConfigField+".tpuTfVersion", "There are no TPUs here; leave tpuTfVersion out.")
	}
	return c.AcceleratorConfig.check(g.ConfigField + ".acceleratorConfig")
}

func (a *AcceleratorConfig) check(field string) error {
	switch {
	case a == nil:
		return nil
	case slices.Contains(tpuTypes, a.Type):
		return unimplementedField(field+".type", "There are no TPUs here; use an NVIDIA type: any GPU of the host answers it.")
	case !slices.Contains(acceleratorTypes, a.Type):
		return enumError(field+".type", "job.training_input.master_config.accelerator_config.type", "AcceleratorConfig.Type", a.Type)
	case a.Count < 0 || a.Count > maxAccelerators:
		return FieldErrorf(field+".count", "The count of accelerators is not between 0 and %d.", maxAccelerators)
	}
	return nil
}
