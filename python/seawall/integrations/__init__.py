"""Tools of agent frameworks behind the checkpoint. Each module needs its framework, which is an optional extra."""
