"""Seawall's guard: puts the tools of a program behind one checkpoint of policy, budget and trace.

    from seawall import run, guard

    with run(policy="fs_safe", sandbox="./data", max_cost_usd=5.0) as ctx:
        @guard()
        def write_file(path: str, content: str):
            with open(path, "w") as f:
                f.write(content)

        write_file("test.txt", "hello")  # lands in ./data, admitted, traced

No server is needed. What a guarded call does, in any thread or task that it starts, is watched as well as what it is
called with.
"""

from seawall.errors import (
    ApprovalRequired,
    BudgetExceeded,
    ConfigError,
    ContractViolation,
    PolicyDenied,
    SeawallError,
    ToolTimeout,
)
from seawall.guard import guard
from seawall.policy import Policy, fs_safe_policy, net_safe_policy, safe_policy
from seawall.run import RunContext, configure, run

__all__ = [
    "ApprovalRequired",
    "BudgetExceeded",
    "ConfigError",
    "ContractViolation",
    "Policy",
    "PolicyDenied",
    "RunContext",
    "SeawallError",
    "ToolTimeout",
    "configure",
    "fs_safe_policy",
    "guard",
    "net_safe_policy",
    "run",
    "safe_policy",
]

__version__ = "0.1.0"
