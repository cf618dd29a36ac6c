"""The run folder: tables and manifests, what a result depends on, decisions, the lock."""
