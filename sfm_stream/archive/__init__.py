"""What becomes of finished files: the date tree, its manifests, and the audit."""
