"""The JSON API under /api/v1: the same shapes as the command line's ``--json``, the same roles as the desk."""
