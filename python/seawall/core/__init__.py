"""Names under which other guards keep their policies, for programs that come from there."""
