"""Reports to upstreams, sent until they are accepted."""
