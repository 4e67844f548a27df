//! The tokio side of everything: task group and drain, configuration, telemetry, atomic files.
