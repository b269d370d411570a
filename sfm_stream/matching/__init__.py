"""Words and boolean expressions over a neutral view of a post, for all sources that do not match by themselves."""
