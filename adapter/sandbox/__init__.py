"""A demo EHR with believable families, and a mailbox, on this machine only: for demo, tests and benchmarks."""
