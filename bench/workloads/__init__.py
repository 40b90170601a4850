"""The workloads, a module for what is measured alike. Each is a function of a rig that gives figures."""
