"""The services that posts come from: one folder each, named by nothing but the registry."""
