//! All rules that a flow must obey before it becomes a plan.
