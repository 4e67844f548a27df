"""The policies of `seawall`, under the name that FailCore's programs import them by."""

from seawall.policy import fs_safe_policy, net_safe_policy, safe_policy

__all__ = ["fs_safe_policy", "net_safe_policy", "safe_policy"]
