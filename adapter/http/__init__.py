"""HTTP as every edge speaks it: where a secret may go, answers that end, strict JSON, tokens from a token endpoint."""
